// The tunnels that have used up their turn and have more to move: each gets another one in the order in
// which they came. A tunnel stands in it once; one that ended meanwhile is passed over.
//
// All methods run in the worker.
//
// `!` on typed-array reads: indices are masked to the queue's size.

import { FLAGS, TUNNEL_WORDS, type WorkerMemory } from "./layout.ts";
import { QUEUED } from "./tunnel_table.ts";

export class TurnQueue {
  readonly #words: Int32Array;
  readonly #slots: Int32Array;
  #head = 0;
  #tail = 0;

  constructor(memory: WorkerMemory) {
    this.#words = memory.words;
    // Entries of tunnels that ended stay until their turn, so there may be more of them than tunnels:
    // by those that came and went within one round, which is less than as many again.
    let size = 1024;
    while (size < 2 * memory.capacity) size *= 2;
    this.#slots = new Int32Array(size);
  }

  /** Entries, those of tunnels that ended included. */
  get length(): number {
    return (this.#tail - this.#head) & (this.#slots.length - 1);
  }

  add(slot: number): void {
    const at = slot * TUNNEL_WORDS + FLAGS;
    if ((this.#words[at]! & QUEUED) !== 0) return;
    this.#words[at]! |= QUEUED;
    this.#slots[this.#tail] = slot;
    this.#tail = (this.#tail + 1) & (this.#slots.length - 1);
  }

  /** Takes the first entry out. @returns its slot, or -1 when that tunnel has ended. */
  next(): number {
    const slot = this.#slots[this.#head]!;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    const at = slot * TUNNEL_WORDS + FLAGS;
    if ((this.#words[at]! & QUEUED) === 0) return -1;
    this.#words[at]! &= ~QUEUED;
    return slot;
  }
}
