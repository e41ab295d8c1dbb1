// Pacing: a backend that has many young connections stands back while others have fewer. sshd drops
// connections at random while ten wait to log in (MaxStartups 10:30:100), and a class logs in all at once.
// Who waits to log in is open and young; which connections are, core/pick/young.ts says.
//
// `!` on typed-array reads: indices are below the table's row count by construction.

import { burstCharge } from "./burst_charge.ts";
import { isCandidate, scoreOf } from "./candidate.ts";
import { type Choice, NO_ROW, type Tried } from "./choice.ts";
import {
  HEADER_WORDS,
  NEARLY_EQUAL,
  PACE_GIVEN_UP,
  PACE_LIMIT,
  type PickTable,
  ROW_WORDS,
} from "./pick_table.ts";
import { youngAfter, youngOf } from "./young.ts";

/** No backend stands back. */
export const NO_CEILING = 0x7fff_ffff;
/**
 * Beyond so many times the limit on any backend pacing is at its end: sshd would have refused most of
 * them by then, so this is no sshd, and the strategy alone decides again. If it took all backends, one
 * that comes back, or has a small weight, would get that many in a row.
 */
const END = 4;

/**
 * With how many young connections a backend stands back: the limit, or, when every candidate has reached
 * that, one more than the one with the fewest has. So all that pacing does is to choose others first;
 * nobody is refused or kept waiting.
 */
export function ceilingOf(table: PickTable, tried: Tried | null, reach: number): number {
  const words = table.words;
  const limit = words[PACE_LIMIT]!;
  if (limit === 0) return NO_CEILING;
  const rows = table.rows;
  const end = limit * END;
  let fewest = end;
  for (let row = 0; row < rows; row++) {
    const at = HEADER_WORDS + row * ROW_WORDS;
    if (!isCandidate(words, at, row, tried, reach)) continue;
    const young = youngOf(words, at);
    if (young > end) return NO_CEILING;
    if (young < fewest) fewest = young;
  }
  if (fewest < limit) return limit;
  return fewest < end ? fewest + 1 : NO_CEILING;
}

/** Tells whether the connection may go there and the row does not stand back. */
export function isOpen(
  words: Int32Array,
  at: number,
  row: number,
  tried: Tried | null,
  choice: Choice,
): boolean {
  if (!isCandidate(words, at, row, tried, choice.reach)) return false;
  if (choice.ceiling === NO_CEILING || youngOf(words, at) < choice.ceiling) return true;
  choice.paced = true;
  return false;
}

/**
 * Tells whether clients may wait for a backend that stands back: while a burst of logins is dealt out, so that
 * it is known which backend each should go to, and as long as nobody has waited in vain.
 */
export function isWaitedFor(words: Int32Array): boolean {
  if (words[PACE_LIMIT] === 0) return false;
  const isBurst = burstCharge(words) > 0;
  if (words[PACE_GIVEN_UP] === 0) return isBurst;
  if (!isBurst) Atomics.store(words, PACE_GIVEN_UP, 0);
  return false;
}

/** Somebody has waited in vain for a backend that stands back: more want to log in than it can ever take. */
export function giveUpWaiting(words: Int32Array): void {
  Atomics.store(words, PACE_GIVEN_UP, 1);
}

/** No backend that stands back is better than those that do not. */
const NONE_BETTER = 0;
/** One is, and takes one more in time, even if none of its connections ends before. */
export const IN_TIME = 1;
/** One is, but does not. */
export const TOO_LATE = 2;

/**
 * Looks for backends that stand back and are better than the best of those that do not, and whether one can
 * take the client in time.
 * @param open the row that does not stand back, or NO_ROW.
 * @param patienceMs how long the client may wait.
 * @returns NONE_BETTER, IN_TIME or TOO_LATE.
 */
export function betterWhenWaiting(
  table: PickTable,
  tried: Tried | null,
  choice: Choice,
  open: number,
  patienceMs: number,
): number {
  const words = table.words;
  const rows = table.rows;
  const limit = words[PACE_LIMIT]!;
  const charge = burstCharge(words);
  const line = open === NO_ROW
    ? -Infinity
    : scoreOf(words, HEADER_WORDS + open * ROW_WORDS, charge) + words[NEARLY_EQUAL]!;
  let found = NONE_BETTER;
  for (let row = 0; row < rows; row++) {
    const at = HEADER_WORDS + row * ROW_WORDS;
    if (!isCandidate(words, at, row, tried, choice.reach)) continue;
    if (youngOf(words, at) < limit || scoreOf(words, at, charge) <= line) continue;
    if (youngAfter(words, at, patienceMs) < limit) return IN_TIME;
    found = TOO_LATE;
  }
  return found;
}
