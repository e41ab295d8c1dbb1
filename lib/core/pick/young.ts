// Counts, by row of a PickTable, the connections that stand and are young: those placed within
// `pace.within`, which pacing goes by (pacing.ts), and those placed within about a minute, the new
// logins of a burst (burst_charge.ts). A connection that has ended is in neither count.
//
// Time passes in steps, which the control plane counts in the word STEP. A place is counted in FRESH, and
// its connection keeps the number of the step. When a step is over, FRESH becomes that step's word in two
// rings, in place of the step that has grown too old, and goes into the sums of the rings; the end of a
// connection takes one off the word of its step and off the sum. Steps of the second ring are longer: each
// is LONG_STEP of the others, so one number names both. NEW_LOGINS sums the new logins of all rows up.
//
// Threads do not wait for each other. A thread that counts at the instant at which a step ends may count in
// the word of the next one: the sums are right then all the same, and since words leave the sums with what
// stands in them, nothing of it outlasts the rings.
//
// `!` on typed-array reads: rows are below the table's capacity.

import {
  FRESH,
  HEADER_WORDS,
  LONG_STEP,
  NEW_BEFORE,
  NEW_LOGINS,
  NEW_RING,
  NEW_STEPS,
  type PickTable,
  ROW_WORDS,
  STEP,
  STEP_MS,
  YOUNG_BEFORE,
  YOUNG_RING,
  YOUNG_STEPS,
} from "./pick_table.ts";

/** How long a login counts as new, or somewhat longer. */
const NEW_MS = 60_000;
/** The step of a connection whose beginning nobody knows, long ago. */
export const LONG_AGO = -0x4000_0000;

/** Connections of the row that begins at word `at` which were placed within `pace.within`, or a step more. */
export function youngOf(words: Int32Array, at: number): number {
  return words[at + FRESH]! + words[at + YOUNG_BEFORE]!;
}

/** How many of those will be young still when so many milliseconds have passed, if none ends before. */
export function youngAfter(words: Int32Array, at: number, ms: number): number {
  const stepMs = words[STEP_MS]!;
  const steps = stepMs === 0 ? 0 : Math.floor(ms / stepMs);
  if (steps > YOUNG_STEPS) return 0;
  const step = words[STEP]!;
  let young = youngOf(words, at);
  // Each step takes off what stands in its own word: that is who came a whole turn of the ring before.
  for (let i = 0; i < steps; i++) young -= words[at + YOUNG_RING + (step + i) % YOUNG_STEPS]!;
  return young;
}

/** Those which were placed within about a minute. */
export function newLoginsOf(words: Int32Array, at: number): number {
  return words[at + FRESH]! + words[at + NEW_BEFORE]!;
}

/** A connection takes a place in the row that begins at word `at`. @returns the step, which it keeps. */
export function enterYoung(words: Int32Array, at: number): number {
  const step = Atomics.load(words, STEP);
  Atomics.add(words, at + FRESH, 1);
  Atomics.add(words, NEW_LOGINS, 1);
  return step;
}

/** A connection that was placed in this step has ended. */
export function leaveYoung(words: Int32Array, at: number, step: number): void {
  const now = Atomics.load(words, STEP);
  if (step === now) {
    Atomics.sub(words, at + FRESH, 1);
    Atomics.sub(words, NEW_LOGINS, 1);
    return;
  }
  if (now - step <= YOUNG_STEPS) {
    Atomics.sub(words, at + YOUNG_RING + step % YOUNG_STEPS, 1);
    Atomics.sub(words, at + YOUNG_BEFORE, 1);
  }
  const long = words[LONG_STEP]!;
  const longStep = Math.floor(step / long);
  if (Math.floor((now - 1) / long) - longStep < NEW_STEPS) {
    Atomics.sub(words, at + NEW_RING + longStep % NEW_STEPS, 1);
    Atomics.sub(words, at + NEW_BEFORE, 1);
    Atomics.sub(words, NEW_LOGINS, 1);
  }
}

/** Lets the time of young connections pass in a table: one per table, on the control plane. */
export class YoungSteps {
  readonly #table: PickTable;
  #withinMs = 0;
  #stepMs = Infinity;
  #steppedMs: number;

  constructor(table: PickTable, nowMs: number) {
    this.#table = table;
    this.#steppedMs = nowMs;
  }

  /**
   * Says how long a connection is young, in milliseconds, above 0. Another time than before forgets which
   * were. Where it is minutes, a login is new for as long, too: the rings have so many steps.
   */
  setWithin(withinMs: number): void {
    if (withinMs === this.#withinMs) return;
    this.#withinMs = withinMs;
    this.#stepMs = withinMs / YOUNG_STEPS;
    const { words } = this.#table;
    const long = Math.max(1, Math.round(NEW_MS / (NEW_STEPS - 1) / this.#stepMs));
    const most = Math.max(long, words[LONG_STEP]!);
    // First: who began before is too old by now for either count.
    Atomics.add(words, STEP, YOUNG_STEPS + (NEW_STEPS + 1) * most);
    Atomics.store(words, LONG_STEP, long);
    Atomics.store(words, STEP_MS, Math.max(1, Math.round(this.#stepMs)));
    for (let row = 0; row < this.#table.rows; row++) {
      const at = HEADER_WORDS + row * ROW_WORDS;
      Atomics.store(words, at + YOUNG_BEFORE, 0);
      for (const word of [FRESH, NEW_BEFORE]) {
        Atomics.sub(words, NEW_LOGINS, Atomics.exchange(words, at + word, 0));
      }
      for (let i = 0; i < YOUNG_STEPS; i++) Atomics.store(words, at + YOUNG_RING + i, 0);
      for (let i = 0; i < NEW_STEPS; i++) Atomics.store(words, at + NEW_RING + i, 0);
    }
  }

  /**
   * Lets time pass up to now.
   * @returns when the next step is due.
   */
  advance(nowMs: number): number {
    // After so many steps nothing is left of what was counted before.
    const most = YOUNG_STEPS + (NEW_STEPS + 1) * this.#table.words[LONG_STEP]!;
    this.#steppedMs = Math.max(this.#steppedMs, nowMs - most * this.#stepMs);
    while (nowMs - this.#steppedMs >= this.#stepMs) {
      this.#steppedMs += this.#stepMs;
      this.#step();
    }
    return this.#steppedMs + this.#stepMs;
  }

  /** The number that STEP had at a time, as far as its count goes back. */
  stepAt(ms: number): number {
    const passed = Math.max(0, Math.ceil((this.#steppedMs - ms) / this.#stepMs));
    return Atomics.load(this.#table.words, STEP) - passed;
  }

  #step(): void {
    const { words, rows } = this.#table;
    const step = Atomics.load(words, STEP);
    const long = words[LONG_STEP]!;
    const young = YOUNG_RING + step % YOUNG_STEPS;
    const fresh = NEW_RING + Math.floor(step / long) % NEW_STEPS;
    const isFirst = step % long === 0;
    for (let row = 0; row < rows; row++) {
      const at = HEADER_WORDS + row * ROW_WORDS;
      const count = Atomics.exchange(words, at + FRESH, 0);
      const grownUp = Atomics.exchange(words, at + young, count);
      Atomics.add(words, at + YOUNG_BEFORE, count - grownUp);
      const old = isFirst ? Atomics.exchange(words, at + fresh, 0) : 0;
      Atomics.add(words, at + fresh, count);
      Atomics.add(words, at + NEW_BEFORE, count - old);
      if (old !== 0) Atomics.sub(words, NEW_LOGINS, old);
    }
    Atomics.store(words, STEP, step + 1);
  }
}
