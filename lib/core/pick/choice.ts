// What one search for a backend carries along: the rows that were tried in vain, and why the last pick
// fell as it did.

import { ALWAYS, DEFAULT_CAPACITY, UNKNOWN_FREE } from "./pick_table.ts";

/** The most backends that one connection tries. */
export const MAX_TRIES = 32;

/** What kernels return when no row can be chosen. */
export const NO_ROW = -1;

/** So many random numbers are told apart by what a pick leaves behind of its own. */
export const DRAW_UNITS = 2 ** 30;

/** A random number in [0, 1) as a snapshot keeps it: an integer that V8 need not box. */
export function drawWord(random: number): number {
  return Math.floor(random * DRAW_UNITS);
}

/** Rows that this connection has tried in vain. */
export class Tried {
  readonly rows = new Int32Array(MAX_TRIES);
  count = 0;

  add(row: number): void {
    if (this.count < MAX_TRIES) this.rows[this.count++] = row;
  }

  /** Whether no more rows can be remembered: the search has to end. */
  get full(): boolean {
    return this.count >= MAX_TRIES;
  }

  has(row: number): boolean {
    for (let i = 0; i < this.count; i++) if (this.rows[i] === row) return true;
    return false;
  }
}

/** What a pick leaves behind, without the kernels' scratch. */
export type Chosen = Readonly<
  Omit<Choice, "reach" | "ceiling" | "scored" | "scores" | "waits" | "late">
>;

/**
 * Why a pick fell as it did. One is made per engine loop and written anew by each pick, so that
 * explaining costs no allocation.
 */
export class Choice {
  /** The kernel's number in KERNELS. */
  kernel = 0;
  row = NO_ROW;
  /** Of the winner at that instant: free milli-cores, UNKNOWN_FREE when nobody knows. */
  free = UNKNOWN_FREE;
  /** Tunnels the winner held, this one not counted. */
  active = 0;
  /** The best of the others, -1 when there was none. */
  runnerUp = NO_ROW;
  runnerUpFree = UNKNOWN_FREE;
  runnerUpActive = 0;
  /** Whether the client was sent back to where it had been before; then no kernel ran. */
  sticky = false;
  /** Whether the kernel passed over a backend because it has many young connections. */
  paced = false;
  /** Whether no row was chosen because the client is to wait for one that is full or stands back. */
  waits = false;
  /** Whether a better row stands back and would not take the client in the time that it may wait. */
  late = false;
  /** The step in which the place was taken: `release` asks for it (young.ts). */
  step = 0;
  /** The highest ELIGIBLE of rows that took part: above ALWAYS when backups were asked. */
  reach = ALWAYS;
  /** Milli-cores that each new login counted for, as part of a burst (burst_charge.ts); 0: none did. */
  charge = 0;
  /** Scratch of `pick`: how many young connections make a backend stand back (pacing.ts). */
  ceiling = 0;
  /** Whether the kernel has left a score for each row. */
  scored = false;
  /** Scratch of the kernels, by row. */
  scores = new Int32Array(DEFAULT_CAPACITY);
}
