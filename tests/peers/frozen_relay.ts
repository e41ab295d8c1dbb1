// A relay that can stop moving bytes without closing anything, as a network does that has lost its
// way: both sides see a connection that is there and silent.

export class FrozenRelay implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #target: Deno.ConnectOptions;
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #work = new Set<Promise<void>>();
  /** Pending while frozen. */
  #moving: PromiseWithResolvers<void>;
  #disposed = false;

  private constructor(listener: Deno.TcpListener, target: Deno.ConnectOptions) {
    this.#listener = listener;
    this.#target = target;
    this.#moving = Promise.withResolvers();
    this.#moving.resolve();
    this.#own(this.#accept());
  }

  /** Listens on a free port and forwards to the target. */
  static start(target: Deno.ConnectOptions, hostname = "127.0.0.1"): FrozenRelay {
    return new FrozenRelay(Deno.listen({ hostname, port: 0 }), target);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** From now on nothing is forwarded; new connections are accepted and left silent. */
  freeze(): void {
    this.#moving = Promise.withResolvers();
  }

  /** What was held back goes on its way. */
  thaw(): void {
    this.#moving.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
    this.thaw();
    while (this.#work.size > 0) await Promise.all(this.#work);
  }

  #own(work: Promise<void>): void {
    const owned = work.finally(() => this.#work.delete(owned));
    this.#work.add(owned);
  }

  async #accept(): Promise<void> {
    while (!this.#disposed) {
      try {
        const client = await this.#listener.accept();
        this.#connections.add(client);
        this.#own(this.#serve(client));
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return;
      }
    }
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    let target: Deno.TcpConn | undefined;
    try {
      await this.#moving.promise;
      target = await Deno.connect(this.#target);
      this.#connections.add(target);
      if (this.#disposed) return;
      await Promise.all([this.#pump(client, target), this.#pump(target, client)]);
    } catch {
      // One of the two has gone, or this relay is being disposed of.
    } finally {
      for (const connection of [client, target]) {
        if (connection !== undefined && this.#connections.delete(connection)) connection.close();
      }
    }
  }

  async #pump(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(65_536);
    while (true) {
      const count = await from.read(buffer);
      await this.#moving.promise;
      if (count === null) return await to.closeWrite();
      for (let sent = 0; sent < count;) sent += await to.write(buffer.subarray(sent, count));
    }
  }
}
