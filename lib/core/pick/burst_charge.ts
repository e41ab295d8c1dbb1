// A burst of logins, as a class makes it when the lesson starts, is dealt out in proportion to what is
// free. At each pick, in whichever thread, this says what a new login counts for.
//
// `!` on typed-array reads: these words are in the header.

import { BURST_FREE, BURST_LINE, NEW_LOGINS } from "./pick_table.ts";

/**
 * Milli-cores that each new login counts for on its backend, beyond what it costs; 0 when nothing is unusual.
 *
 * What a burst costs nobody can know beforehand, and its sessions do the same thing at the same time;
 * the learnt cost is a mean over people who do not. So a burst is dealt out like seats: with F cores
 * free in all, f on backend i, and y of the Y new logins there, i lacks (Y + 1)·f/F − y seats when the
 * next one is dealt. That is f − y·F/(Y + 1) up to a factor: water-filling with a cost of F/(Y + 1) per
 * new login. Without that 1, a backend that has all of a few is passed over, however much is free there.
 * The further the burst exceeds the line of what may be chance (core/estimate/login_burst.ts), the more of that
 * cost is charged: all of it at twice the line.
 */
export function burstCharge(words: Int32Array): number {
  const newLogins = words[NEW_LOGINS]!;
  const free = words[BURST_FREE]!;
  const line = words[BURST_LINE]! / 1000;
  if (free === 0 || newLogins <= line) return 0;
  const excess = (newLogins - line) / line;
  return Math.round((excess < 1 ? excess : 1) * free / (newLogins + 1));
}
