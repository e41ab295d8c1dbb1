// Picks: a kernel chooses a row of a PickTable for one connection, and a place in it is reserved. This
// runs once per connection in every engine, so kernels are loops over integers without closures or
// allocation (one file each under kernels/). The winner's ACTIVE count is raised before the row is
// returned, and `release` gives the place back.
//
// `!` on typed-array reads: indices are below the table's row count by construction.

import { type Choice, NO_ROW, type Tried } from "./choice.ts";
import { isCandidate, RACES, takesPart } from "./candidate.ts";
import {
  betterWhenWaiting,
  ceilingOf,
  IN_TIME,
  isWaitedFor,
  NO_CEILING,
  TOO_LATE,
} from "./pacing.ts";
import { type AnyKernel, kernelAt } from "./kernels/registry.ts";
import {
  ACTIVE,
  ALWAYS,
  BACKUP_LAST,
  ELIGIBLE,
  freeNow,
  HEADER_WORDS,
  KERNEL,
  MAX_CONNECTIONS,
  PACE_LIMIT,
  type PickTable,
  ROW_WORDS,
  STICKY_SECONDS,
  TOTAL,
} from "./pick_table.ts";
import { Source } from "./source.ts";
import { recall, remember, renew } from "./sticky.ts";
import { enterYoung, leaveYoung } from "./young.ts";

export { Choice, MAX_TRIES, Tried } from "./choice.ts";

const ANY_COUNT = -1;
/** Instead of a patience: only where the client was before, whoever waits for other backends. */
export const RETURN_ONLY = -1;
/** Each race lost beyond RACES is one in which others took a row's last place. */
const MOST_RACES = 64;
const NOBODY = new Source();

/**
 * Chooses a row and reserves a place in it: of those that take part always, and only when none of them can
 * take the connection, of the backups, tier by tier (ELIGIBLE).
 * @param random in [0, 1), used by the kernels that draw, and by `most_free` among near-equals.
 * @param source where the client comes from.
 * @param patienceMs how long the client may wait for a backend that is full, or that stands back and is
 * better than the others: then the choice says that it waits. 0: at once, or nowhere. RETURN_ONLY: it goes
 * where it was before, or waits.
 * @returns the row, or -1 when no backend can take the connection, or the client is to wait.
 */
export function pick(
  table: PickTable,
  tried: Tried | null,
  random: number,
  choice: Choice,
  source: Source = NOBODY,
  patienceMs: number = 0,
): number {
  if (patienceMs === RETURN_ONLY) return pickReturning(table, tried, choice, source);
  choice.waits = false;
  let row = NO_ROW;
  for (let reach = ALWAYS; row === NO_ROW && reach <= BACKUP_LAST; reach++) {
    choice.reach = reach;
    row = pickWithin(table, tried, random, choice, source, patienceMs);
    if (choice.waits) return NO_ROW;
  }
  if (row === NO_ROW && patienceMs > 0) {
    choice.waits = kernelAt(choice.kernel).waitsForMore === true || hasOthers(table, tried);
  }
  return row;
}

/** Reserves a place where the client was before, if it can go there now. Otherwise the choice says that it waits. */
function pickReturning(
  table: PickTable,
  tried: Tried | null,
  choice: Choice,
  source: Source,
): number {
  begin(choice, kernelAt(Atomics.load(table.words, KERNEL)));
  choice.reach = ALWAYS;
  choice.ceiling = NO_CEILING;
  const row = table.words[STICKY_SECONDS] === 0 ? NO_ROW : pickAgain(table, tried, choice, source);
  choice.waits = row === NO_ROW;
  return row;
}

/** What a choice says before a pick. */
function begin(choice: Choice, kernel: AnyKernel): void {
  choice.kernel = kernel.number;
  choice.scored = kernel.scores;
  choice.sticky = false;
  choice.paced = false;
  choice.charge = 0;
  choice.late = false;
}

/**
 * Tells whether a backend that was not tried takes connections, as far as it has places. When a pick has found
 * none, all of these were full; one may have a place again by now.
 */
export function hasOthers(table: PickTable, tried: Tried | null): boolean {
  for (let row = 0; row < table.rows; row++) {
    const at = HEADER_WORDS + row * ROW_WORDS;
    if (takesPart(table.words, at, BACKUP_LAST) && tried?.has(row) !== true) return true;
  }
  return false;
}

/**
 * Chooses a row by the table's kernel, or the one where the client was before if the table says that
 * clients stick, among the rows within the choice's reach, and reserves a place in it.
 */
function pickWithin(
  table: PickTable,
  tried: Tried | null,
  random: number,
  choice: Choice,
  source: Source,
  patienceMs: number,
): number {
  const words = table.words;
  const kernel = kernelAt(Atomics.load(words, KERNEL));
  begin(choice, kernel);
  if (words[STICKY_SECONDS] !== 0) {
    const row = pickAgain(table, tried, choice, source);
    if (row !== NO_ROW) return row;
  }
  choice.ceiling = kernel.paces ? ceilingOf(table, tried, choice.reach) : NO_CEILING;
  // Only a score says how much better a backend is than those that would take the connection now.
  const isWaited = patienceMs > 0 && kernel.scores && choice.ceiling !== NO_CEILING &&
    isWaitedFor(words);
  for (let race = 0; race < MOST_RACES; race++) {
    choice.runnerUp = NO_ROW;
    choice.paced = false;
    const row = kernel.run(table, tried, random, choice, source.hash);
    choice.row = row;
    if (isWaited && isAnyPaced(words, choice)) {
      const open = choice.ceiling > words[PACE_LIMIT]! ? NO_ROW : row;
      const better = betterWhenWaiting(table, tried, choice, open, patienceMs);
      if (better === IN_TIME) {
        choice.row = NO_ROW;
        choice.waits = true;
        return NO_ROW;
      }
      choice.late = better === TOO_LATE;
    }
    if (row === NO_ROW) {
      if (choice.ceiling === NO_CEILING) return NO_ROW;
      // Another thread gave the backend one more meanwhile, or took its last place.
      choice.ceiling = NO_CEILING;
      continue;
    }
    const at = HEADER_WORDS + row * ROW_WORDS;
    choice.free = freeNow(words, at);
    // Kernels that compare tunnels or what they cost take the place only as they saw it, so that
    // workers which pick at the same instant do not all take the same best one.
    const seen = kernel.compares && race < RACES ? choice.active : ANY_COUNT;
    if (reserve(words, at, seen, choice)) {
      if (choice.runnerUp !== NO_ROW) {
        const other = HEADER_WORDS + choice.runnerUp * ROW_WORDS;
        choice.runnerUpFree = freeNow(words, other);
        choice.runnerUpActive = words[other + ACTIVE]!;
      }
      return row;
    }
  }
  choice.row = NO_ROW;
  return NO_ROW;
}

/** Tells whether some candidate stands back, or all do. */
function isAnyPaced(words: Int32Array, choice: Choice): boolean {
  return choice.paced || choice.ceiling > words[PACE_LIMIT]! && choice.ceiling !== NO_CEILING;
}

/** Reserves a place where the client was before, if it may go there. */
function pickAgain(
  table: PickTable,
  tried: Tried | null,
  choice: Choice,
  source: Source,
): number {
  const words = table.words;
  const row = recall(table, source);
  if (row === NO_ROW) return NO_ROW;
  const at = HEADER_WORDS + row * ROW_WORDS;
  if (!isCandidate(words, at, row, tried, choice.reach)) return NO_ROW;
  choice.free = freeNow(words, at);
  if (!reserve(words, at, ANY_COUNT, choice)) return NO_ROW;
  choice.sticky = true;
  choice.scored = false;
  choice.row = row;
  choice.runnerUp = NO_ROW;
  return row;
}

/**
 * Gives back the place that a pick reserved, and with it the expected cost: call it once for each pick
 * that gave a row, when its connect has failed or its tunnel has ended.
 * @param step the choice's, when it was picked.
 */
export function release(table: PickTable, row: number, step: number): void {
  const at = HEADER_WORDS + row * ROW_WORDS;
  Atomics.sub(table.words, at + ACTIVE, 1);
  leaveYoung(table.words, at, step);
}

/** Counts a tunnel that was made, and remembers where its client is, if clients stick. */
export function countTunnel(table: PickTable, row: number, source: Source = NOBODY): void {
  Atomics.add(table.words, HEADER_WORDS + row * ROW_WORDS + TOTAL, 1);
  if (table.words[STICKY_SECONDS] !== 0) remember(table, source, row);
}

/** A tunnel has ended: its place is given back, and without another the client's time begins to run. */
export function endTunnel(table: PickTable, row: number, source: Source, step: number): void {
  // First: while a place is held in the row, no other backend gets it.
  if (table.words[STICKY_SECONDS] !== 0) renew(table, source, row);
  release(table, row, step);
}

/** Takes a place unless another worker changed the count or took the last one since the kernel looked. */
function reserve(words: Int32Array, at: number, seen: number, choice: Choice): boolean {
  const limit = words[at + MAX_CONNECTIONS]!;
  if (seen !== ANY_COUNT) {
    if (limit !== 0 && seen >= limit) return false;
    choice.active = seen;
    if (Atomics.compareExchange(words, at + ACTIVE, seen, seen + 1) !== seen) return false;
  } else {
    const before = Atomics.add(words, at + ACTIVE, 1);
    if (limit !== 0 && before >= limit) {
      Atomics.sub(words, at + ACTIVE, 1);
      return false;
    }
    choice.active = before;
  }
  // From the moment on in which the control plane has closed a row, no pick falls on it any more, not even
  // one that had looked before.
  if (Atomics.load(words, at + ELIGIBLE) === 0) {
    Atomics.sub(words, at + ACTIVE, 1);
    return false;
  }
  choice.step = enterYoung(words, at);
  return true;
}
