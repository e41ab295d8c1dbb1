// A TCP address that answers no connect: its accept queue is full, so the kernel drops every further SYN.

export class BlackHole implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
  readonly #stop = new AbortController();
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

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const filler of this.#fillers) (await filler)?.close();
    this.#listener.close();
  }
}
