// The eventfds that wake the workers, by their numbers. A worker sleeps in epoll_wait: whoever has something
// for it writes to its eventfd.
//
// All methods run in a worker.

import { addressOf, type Libc } from "./libc.ts";

export class WakeFds {
  readonly #calls: Libc["calls"];
  readonly #fds: readonly number[];
  readonly #one = new Int32Array(16);
  readonly #onePointer = addressOf(this.#one);
  readonly #read = new Int32Array(16);
  readonly #readPointer = addressOf(this.#read);

  constructor(libc: Libc, fds: readonly number[]) {
    this.#calls = libc.calls;
    this.#fds = fds;
    this.#one[0] = 1;
  }

  /** Wakes a worker. */
  wake(worker: number): void {
    this.#calls.write(this.#fds[worker] ?? -1, this.#onePointer, 8);
  }

  /** A worker has been woken: empties its eventfd, so that it can be woken again. */
  empty(worker: number): void {
    this.#calls.read(this.#fds[worker] ?? -1, this.#readPointer, 8);
  }
}
