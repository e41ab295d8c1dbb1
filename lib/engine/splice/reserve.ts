// One descriptor that all workers keep back together. A worker accepts only while it is there, and a client
// whose backend's socket finds no descriptor gets it. Without it, two clients that are accepted with the
// last two descriptors would hold one each, and neither could go on: what a session that ends gives back
// would stay without use until their deadlines.

import { RESERVE } from "./layout.ts";
import { EFD_CLOEXEC, type Libc } from "./libc.ts";

export class Reserve {
  readonly #libc: Libc;
  readonly #engine: Int32Array;

  /** @param engine the words that all workers share. */
  constructor(libc: Libc, engine: Int32Array) {
    this.#libc = libc;
    this.#engine = engine;
  }

  /** Keeps a descriptor back unless one is. @returns false when there is none; errno says why. */
  keep(): boolean {
    if (Atomics.load(this.#engine, RESERVE) !== 0) return true;
    const { eventfd, close } = this.#libc.calls;
    const fd = eventfd(0, EFD_CLOEXEC);
    if (fd < 0) return false;
    // Another worker was faster.
    if (Atomics.compareExchange(this.#engine, RESERVE, 0, fd + 1) !== 0) close(fd);
    return true;
  }

  /** Closes the descriptor that is kept back, so that the caller can have it. @returns whether one was. */
  spend(): boolean {
    const kept = Atomics.exchange(this.#engine, RESERVE, 0);
    if (kept === 0) return false;
    this.#libc.calls.close(kept - 1);
    return true;
  }
}
