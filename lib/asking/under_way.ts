// Samples that a source has under way, so that it can end them all when it is disposed of.

export class UnderWay implements AsyncDisposable {
  readonly #running = new Map<AbortController, Promise<unknown>>();

  /** Runs one until it is done; its signal is aborted with the caller's, or when this is disposed of. */
  async run<T>(signal: AbortSignal, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const stop = new AbortController();
    const abort = () => stop.abort(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    const running = ask(stop.signal);
    this.#running.set(stop, running);
    try {
      return await running;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#running.delete(stop);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.#running.keys()) stop.abort();
    await Promise.all(this.#running.values());
  }
}
