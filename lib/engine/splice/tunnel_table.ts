// The records of one worker's clients and of their backends' sockets, in shared memory, and which are free.
// What a record's sockets carry is not its business.
//
// All methods run in the worker.
//
// `!` on typed-array reads: control words are there.

import {
  BYTES,
  FLAGS,
  FREE,
  HELD,
  REASON,
  STATE,
  TOUCHED,
  TUNNEL_NUMBERS,
  TUNNEL_WORDS,
  type WorkerMemory,
} from "./layout.ts";

// Bits of FLAGS; for two-sided ones shift by the side (or by the direction's reading side).
/** There may be something to read. */
export const READABLE = 1 << 0;
/** A write may succeed. */
export const WRITABLE = 1 << 2;
/** The end of the input has been read. */
export const ENDED = 1 << 4;
/** The end of the input has been passed on. */
export const PASSED = 1 << 6;
/** Input comes in bulk. */
export const BULK = 1 << 8;
/** A short read is not the last: the end follows, or urgent data, or it is a unix socket. */
export const SHORT_READ_INCONCLUSIVE = 1 << 10;
/** The side is gone, found out in writing to it. */
export const BROKEN = 1 << 12;
/** splice(2) does not work on this direction. */
export const UNSPLICEABLE = 1 << 14;
/** Waits in the queue of those who have used up their budget. */
export const QUEUED = 1 << 16;
/** Has stood long enough that the backend's socket has its keepalive options. */
export const KEEPALIVE_SET = 1 << 17;
/** A PROXY header has told the client's address, and the one that the client reached. */
export const VIA_PROXY = 1 << 18;
/** What is held for the backend is not the client's, but the rest of a PROXY header. */
export const HOLDS_HEADER = 1 << 19;

/** The tunnels' records, and which are free. */
export class TunnelTable {
  readonly words: Int32Array;
  readonly numbers: Float64Array;
  readonly capacity: number;
  readonly #control: Int32Array;
  readonly #free: number[] = [];

  constructor(memory: WorkerMemory) {
    this.words = memory.words;
    this.numbers = memory.numbers;
    this.capacity = memory.capacity;
    this.#control = memory.control;
  }

  get full(): boolean {
    return this.#free.length === 0 && this.touched === this.capacity;
  }

  /** Slots below this may be in use. */
  get touched(): number {
    return this.#control[TOUCHED]!;
  }

  /** Takes a slot, with no flags and no bytes. The table must not be full; WORKER_LOAD is the caller's. */
  take(): number {
    const slot = this.#free.pop() ?? this.#control[TOUCHED]!++;
    const base = slot * TUNNEL_WORDS;
    this.words[base + FLAGS] = 0;
    this.words[base + REASON] = 0;
    this.words[base + HELD] = 0;
    this.words[base + HELD + 1] = 0;
    const figures = slot * TUNNEL_NUMBERS;
    this.numbers[figures + BYTES] = 0;
    this.numbers[figures + BYTES + 1] = 0;
    return slot;
  }

  give(slot: number): void {
    this.words[slot * TUNNEL_WORDS + STATE] = FREE;
    this.words[slot * TUNNEL_WORDS + FLAGS] = 0;
    this.#free.push(slot);
  }
}
