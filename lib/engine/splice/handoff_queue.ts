// Clients on their way from the worker that accepted them to the one that has least to do. The kernel
// wakes whichever worker it likes, the same one most often; two heavy sessions would share a core while
// another idles. Threads of a process share descriptors, so only numbers travel: a bounded queue in
// shared memory with many writers and one reader (D. Vyukov's, a sequence number per cell).
//
// `!` on typed-array reads: every index is masked to the queue's size.

import { SOCKADDR_WORDS } from "./sockaddr.ts";

/** Clients that may be on their way; beyond it, whoever accepted keeps the client. A power of two. */
const CELLS = 256;
const HEAD = 0; // the next cell to fill; writers, by compare and exchange
const TAIL = 1; // the next cell to empty; reader
const ASLEEP = 2; // 1: the reader is about to block, write to its wake eventfd; reader
const HEADER_WORDS = 16;
/** Sequence number, descriptor, listener, frontend, place at its address, address. */
const CELL_WORDS = 5 + SOCKADDR_WORDS;
const HANDOFF_BYTES = 4 * (HEADER_WORDS + CELLS * CELL_WORDS);

export class HandoffQueue {
  readonly #words: Int32Array<SharedArrayBuffer>;
  /** Of the client that `take` found. */
  fd = -1;
  listener = -1;
  frontend = -1;
  /** As the tunnel's SOURCE_PLACE. */
  sourcePlace = 0;
  readonly address = new Int32Array(SOCKADDR_WORDS);

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
  }

  /** Makes the memory of one worker's handoff. Runs on the control plane. */
  static allocate(): SharedArrayBuffer {
    const words = new Int32Array(new SharedArrayBuffer(HANDOFF_BYTES));
    for (let i = 0; i < CELLS; i++) words[HEADER_WORDS + i * CELL_WORDS] = i;
    return words.buffer;
  }

  /** Puts a client in. Runs in any worker. @returns false when there is no room. */
  put(
    fd: number,
    listener: number,
    frontend: number,
    sourcePlace: number,
    address: Int32Array,
  ): boolean {
    const words = this.#words;
    for (;;) {
      const head = Atomics.load(words, HEAD);
      const cell = HEADER_WORDS + (head & (CELLS - 1)) * CELL_WORDS;
      const lead = (Atomics.load(words, cell) - head) | 0;
      if (lead < 0) return false;
      if (lead > 0) continue;
      if (Atomics.compareExchange(words, HEAD, head, (head + 1) | 0) !== head) continue;
      words[cell + 1] = fd;
      words[cell + 2] = listener;
      words[cell + 3] = frontend;
      words[cell + 4] = sourcePlace;
      for (let i = 0; i < SOCKADDR_WORDS; i++) words[cell + 5 + i] = address[i]!;
      Atomics.store(words, cell, (head + 1) | 0);
      return true;
    }
  }

  /** Tells whether a client waits. Runs in the handoff's own worker. */
  get empty(): boolean {
    const tail = this.#words[TAIL]!;
    const cell = HEADER_WORDS + (tail & (CELLS - 1)) * CELL_WORDS;
    return Atomics.load(this.#words, cell) !== ((tail + 1) | 0);
  }

  /** Takes a client out into the fields; there must be one. Runs in the handoff's own worker. */
  take(): void {
    const words = this.#words;
    const tail = words[TAIL]!;
    const cell = HEADER_WORDS + (tail & (CELLS - 1)) * CELL_WORDS;
    this.fd = words[cell + 1]!;
    this.listener = words[cell + 2]!;
    this.frontend = words[cell + 3]!;
    this.sourcePlace = words[cell + 4]!;
    for (let i = 0; i < SOCKADDR_WORDS; i++) this.address[i] = words[cell + 5 + i]!;
    words[TAIL] = (tail + 1) | 0;
    Atomics.store(words, cell, (tail + CELLS) | 0);
  }

  /**
   * The reader is about to block, or has come back. Between saying so and blocking it looks once more;
   * a writer puts first and asks then, so one of the two always notices the other.
   */
  setAsleep(asleep: boolean): void {
    Atomics.store(this.#words, ASLEEP, asleep ? 1 : 0);
  }

  get asleep(): boolean {
    return Atomics.load(this.#words, ASLEEP) === 1;
  }
}
