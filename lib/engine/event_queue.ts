// The queue between an engine and its one reader: bounded, never blocking the writer. What does not fit
// is dropped and counted, because a slow log must not slow a session.

/** More than a burst of connections makes while the control plane is busy with a reload. */
const DEFAULT_CAPACITY = 65_536;

export class EventQueue<T> implements AsyncIterable<T> {
  #items: T[] = [];
  #dropped = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(readonly capacity: number = DEFAULT_CAPACITY) {}

  /** How many items found the queue full. */
  get dropped(): number {
    return this.#dropped;
  }

  push(item: T): void {
    if (this.#ended || this.#items.length >= this.capacity) {
      this.#dropped++;
      return;
    }
    this.#items.push(item);
    this.#wake?.();
  }

  /** Lets the reader finish once it has read what is there. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const batch = this.#items;
      this.#items = [];
      yield* batch;
      if (this.#items.length > 0) continue;
      if (this.#ended) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
      this.#wake = undefined;
    }
  }
}
