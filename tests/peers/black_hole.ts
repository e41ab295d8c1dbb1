// A TCP address that answers no connect: its accept queue is full, so the kernel drops every further SYN.

export class BlackHole implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
  readonly #stop = new AbortController();
  #isOpen = true;
  #fillers: Promise<Deno.Conn | undefined>[] = [];

  static async open(): Promise<BlackHole> {
    const hole = new BlackHole();
    const { port } = hole.#listener.addr;
    const { signal } = hole.#stop;
    hole.#fillers = Array.from(
      { length: 4 },
      () => Deno.connect({ hostname: "127.0.0.1", port, signal }).catch(() => undefined),
    );
    await Promise.race(hole.#fillers);
    return hole;
  }

  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  /** Comes to life: takes whoever waits, and all that come, until it is disposed of. */
  async serve(script: (conn: Deno.Conn) => Promise<void>): Promise<void> {
    const sessions: Promise<void>[] = [];
    for (;;) {
      let conn: Deno.Conn;
      try {
        conn = await this.#listener.accept();
      } catch {
        break;
      }
      sessions.push(script(conn).catch(() => {}).finally(() => conn.close()));
    }
    await Promise.all(sessions);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const filler of this.#fillers.splice(0)) (await filler)?.close();
    if (this.#isOpen) this.#listener.close();
    this.#isOpen = false;
  }
}
