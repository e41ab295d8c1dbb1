// Pacing: a backend that has many young connections stands back while others have fewer. sshd drops
// connections at random while ten wait to log in (MaxStartups 10:30:100), and a class logs in all at once.
// Who waits to log in is open and young; which connections are, core/pick/young.ts says.
//
// `!` on typed-array reads: indices are below the table's row count by construction.

import type { Choice, Tried } from "./choice.ts";
import { HEADER_WORDS, PACE_LIMIT, type PickTable, ROW_WORDS } from "./pick_table.ts";
import { youngOf } from "./young.ts";
import { isCandidate } from "./candidate.ts";

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
