// The two clocks that a worker reads at each turn of its loop, from the C library: by FFI both take 50 ns,
// performance.now() and Date.now() took 140, which was a tenth of a worker's time outside the kernel.
//
// `!` on typed-array reads: struct timespec has four words.

import { addressOf, CLOCK_MONOTONIC, CLOCK_REALTIME, type Libc } from "./libc.ts";

/** All methods run in one thread. */
export class LoopClock {
  readonly #libc: Libc;
  /** struct timespec: seconds and nanoseconds, 64 bits each. */
  readonly #time = new Int32Array(16);
  readonly #timeAddress = addressOf(this.#time);
  /** What leads from CLOCK_MONOTONIC to `now`: an array, since a field would box the number. */
  readonly #offset = new Float64Array(1);

  /** @param originMs where `now` begins, in milliseconds since the epoch. */
  constructor(libc: Libc, originMs: number) {
    this.#libc = libc;
    // performance.now() is CLOCK_MONOTONIC, too, from another beginning.
    this.#offset[0] = performance.timeOrigin + performance.now() - originMs;
    this.#offset[0] -= this.#read(CLOCK_MONOTONIC);
  }

  /** Milliseconds that only ever go forward. */
  now(): number {
    return this.#read(CLOCK_MONOTONIC) + this.#offset[0]!;
  }

  /** Whole milliseconds since the epoch, as Date.now() gives them. */
  wall(): number {
    return Math.floor(this.#read(CLOCK_REALTIME));
  }

  #read(clock: number): number {
    const time = this.#time;
    this.#libc.calls.clock_gettime(clock, this.#timeAddress);
    // The low words alone: unsigned, seconds since the epoch fit until the year 2106.
    return (time[0]! >>> 0) * 1000 + time[2]! / 1e6;
  }
}
