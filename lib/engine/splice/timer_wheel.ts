// Deadlines of tunnels: one at most per tunnel, set and cleared in constant time, kept in the tunnel's
// own words as a doubly linked list per bucket. Deadlines within one turn of the fine wheel are met to
// 16 ms; those beyond stand in a coarse one and are looked at once a second.
//
// All methods run in the worker.
//
// `!` on typed-array reads: slots and buckets are in range by construction.

import {
  DEADLINE,
  TIMER_BUCKET,
  TIMER_NEXT,
  TIMER_PREVIOUS,
  TUNNEL_NUMBERS,
  TUNNEL_WORDS,
  type WorkerMemory,
} from "./layout.ts";

const TICK_MS = 16;
const FINE = 512;
const COARSE_TICK_MS = 1024;
const COARSE = 512;
/** Deadlines nearer than this go into the fine wheel: one turn, less the tick in progress. */
const FINE_SPAN_MS = (FINE - 1) * TICK_MS;
/** TIMER_BUCKET of a tunnel without a deadline is 0, so that fresh memory means none. */
const NONE = 0;
/** TIMER_BUCKET of a tunnel that `advance` has just taken out. */
const DUE = -1;
const END = -1;

export class TimerWheel {
  /** Tunnels found due by `advance`; those whose `isDue` no longer holds were closed meanwhile. */
  readonly due: Int32Array;
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #heads = new Int32Array(FINE + COARSE).fill(END);
  #fineTick = 0;
  #coarseTick = 0;
  #count = 0;
  /** No fine bucket before this tick holds a tunnel, so that they are not looked through at each turn. */
  #firstTick = 0;

  constructor(memory: WorkerMemory, nowMs: number) {
    this.#words = memory.words;
    this.#numbers = memory.numbers;
    this.due = new Int32Array(memory.capacity);
    this.#fineTick = Math.floor(nowMs / TICK_MS);
    this.#coarseTick = Math.floor(nowMs / COARSE_TICK_MS);
  }

  /** Sets the tunnel's deadline in place of an earlier one. */
  set(slot: number, deadlineMs: number): void {
    this.clear(slot);
    this.#numbers[slot * TUNNEL_NUMBERS + DEADLINE] = deadlineMs;
    // The bucket of the tick that ends at or after the deadline, never one that has passed.
    const tick = Math.max(this.#fineTick + 1, Math.ceil(deadlineMs / TICK_MS));
    let bucket = tick & (FINE - 1);
    if (deadlineMs > this.#fineTick * TICK_MS + FINE_SPAN_MS) {
      const coarse = Math.min(
        this.#coarseTick + COARSE - 1,
        Math.max(this.#coarseTick + 1, Math.floor(deadlineMs / COARSE_TICK_MS) - 1),
      );
      bucket = FINE + (coarse & (COARSE - 1));
    } else if (tick < this.#firstTick) this.#firstTick = tick;
    const words = this.#words;
    const base = slot * TUNNEL_WORDS;
    const head = this.#heads[bucket]!;
    words[base + TIMER_BUCKET] = bucket + 1;
    words[base + TIMER_NEXT] = head;
    words[base + TIMER_PREVIOUS] = END;
    if (head !== END) words[head * TUNNEL_WORDS + TIMER_PREVIOUS] = slot;
    this.#heads[bucket] = slot;
    this.#count++;
  }

  /** Forgets the tunnel's deadline, if it has one. */
  clear(slot: number): void {
    const words = this.#words;
    const base = slot * TUNNEL_WORDS;
    const bucket = words[base + TIMER_BUCKET]!;
    words[base + TIMER_BUCKET] = NONE;
    if (bucket === NONE || bucket === DUE) return;
    const next = words[base + TIMER_NEXT]!;
    const previous = words[base + TIMER_PREVIOUS]!;
    if (next !== END) words[next * TUNNEL_WORDS + TIMER_PREVIOUS] = previous;
    if (previous === END) this.#heads[bucket - 1] = next;
    else words[previous * TUNNEL_WORDS + TIMER_NEXT] = next;
    this.#count--;
  }

  /** Tells whether a tunnel that `advance` reported still is what it was, and takes the mark off. */
  isDue(slot: number): boolean {
    const at = slot * TUNNEL_WORDS + TIMER_BUCKET;
    if (this.#words[at] !== DUE) return false;
    this.#words[at] = NONE;
    return true;
  }

  /** How long the loop may sleep, at most `limitMs`. */
  sleepMs(nowMs: number, limitMs: number): number {
    if (this.#count === 0) return limitMs;
    const last = Math.ceil((nowMs + limitMs) / TICK_MS);
    let tick = Math.max(this.#fineTick + 1, this.#firstTick);
    while (tick <= last && this.#heads[tick & (FINE - 1)] === END) tick++;
    this.#firstTick = tick;
    if (tick > last) return limitMs;
    return Math.max(0, Math.min(limitMs, Math.ceil(tick * TICK_MS - nowMs)));
  }

  /** Moves on to `nowMs`. @returns how many entries of `due` were filled. */
  advance(nowMs: number): number {
    let found = 0;
    const coarse = Math.floor(nowMs / COARSE_TICK_MS);
    const fine = Math.floor(nowMs / TICK_MS);
    if (this.#count === 0) {
      this.#coarseTick = coarse;
      this.#fineTick = fine;
      return 0;
    }
    // A coarse bucket is emptied a tick before its deadlines: the loop may sleep a second in between.
    const coarseSteps = Math.min(coarse - this.#coarseTick, COARSE);
    const fineSteps = Math.min(fine - this.#fineTick, FINE);
    this.#coarseTick = coarse;
    this.#fineTick = fine;
    for (let step = coarseSteps - 1; step >= 0; step--) {
      found = this.#empty(FINE + ((coarse - step) & (COARSE - 1)), nowMs, found);
    }
    for (let step = fineSteps - 1; step >= 0; step--) {
      found = this.#empty((fine - step) & (FINE - 1), nowMs, found);
    }
    return found;
  }

  /** Takes a bucket's tunnels out; those that are not due after all are set again. */
  #empty(bucket: number, nowMs: number, found: number): number {
    let slot = this.#heads[bucket]!;
    this.#heads[bucket] = END;
    while (slot !== END) {
      const base = slot * TUNNEL_WORDS;
      const next = this.#words[base + TIMER_NEXT]!;
      const deadline = this.#numbers[slot * TUNNEL_NUMBERS + DEADLINE]!;
      this.#words[base + TIMER_BUCKET] = DUE;
      this.#count--;
      if (deadline > nowMs) this.set(slot, deadline);
      else this.due[found++] = slot;
      slot = next;
    }
    return found;
  }
}
