// Keeps the PACE_BASE of a PickTable's rows: what STARTED was some time ago, so that the difference of
// the two is what a backend was given since, and nobody has to count down.
//
// `!` on typed-array reads: rows are below the table's capacity.

import { HEADER_WORDS, PACE_BASE, type PickTable, ROW_WORDS, STARTED } from "./pick_table.ts";

/** In so many steps the time goes by; the count is of that time and at most one step more. */
export const PACE_STEPS = 20;

export class Pacer {
  readonly #table: PickTable;
  /** What STARTED was, by row, one list per step. */
  readonly #steps: Int32Array[];
  #next = 0;

  constructor(table: PickTable) {
    this.#table = table;
    this.#steps = Array.from({ length: PACE_STEPS }, () => new Int32Array(table.capacity));
  }

  /** A step has passed. */
  step(): void {
    const { words, rows } = this.#table;
    const oldest = this.#steps[this.#next]!;
    for (let row = 0; row < rows; row++) {
      const at = HEADER_WORDS + row * ROW_WORDS;
      // Never back: a row that has changed hands began at what its STARTED was then.
      if (((oldest[row]! - words[at + PACE_BASE]!) | 0) > 0) {
        Atomics.store(words, at + PACE_BASE, oldest[row]!);
      }
      oldest[row] = Atomics.load(words, at + STARTED);
    }
    this.#next = (this.#next + 1) % PACE_STEPS;
  }
}
