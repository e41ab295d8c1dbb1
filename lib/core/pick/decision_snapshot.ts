// What a pool looked like to one pick: taken by the thread that picks, right after the pick, as a run of
// 32-bit words, which snapshot_reader.ts reads on the control plane.
//
//   header  [ kernel | nearly equal | draw | rows | sticky ]
//   row     [ row | marks | free milli-cores | active | score | weight ]     the winner, the runner-up, the rest
//
// A word that future kernels compare goes behind the weight: the length of a row is ROW_LENGTH alone.
//
// `!` on typed-array reads: indices are below the table's row count, or within a snapshot, by construction.

import type { Choice, Tried } from "./choice.ts";
import { NO_SCORE, takesPart, weightOf } from "./candidate.ts";
import { NO_CEILING } from "./pacing.ts";
import { KERNEL_NAMES, type PickKernel } from "./kernels/registry.ts";
import {
  ACTIVE,
  ALWAYS,
  ELIGIBLE,
  freeNow,
  HEADER_WORDS,
  MAX_CONNECTIONS,
  NEARLY_EQUAL,
  ORDER,
  type PickTable,
  ROW_WORDS,
  STANDING,
} from "./pick_table.ts";
import { newLoginsOf, youngOf } from "./young.ts";

export { drawWord } from "./choice.ts";

/** The most backends that a snapshot shows. */
export const SNAPSHOT_ROWS = 32;

export const KERNEL_AT = 0;
export const NEARLY_EQUAL_AT = 1;
export const DRAW_AT = 2;
export const COUNT_AT = 3;
export const STICKY_AT = 4;
export const HEADER_LENGTH = 5;
export const ROW_LENGTH = 6;

/** Words that a snapshot takes at most. */
export const SNAPSHOT_WORDS = HEADER_LENGTH + SNAPSHOT_ROWS * ROW_LENGTH;

/** Marks of a row; its standing stands above them, and its place in the configuration above that. */
export const CHOSEN = 1;
export const ELIGIBLE_MARK = 2;
export const FULL = 4;
export const TRIED = 8;
export const PACED = 16;
export const BACKUP_MARK = 32;
/** New logins of a burst counted against it. */
export const CHARGED = 64;
export const STANDING_SHIFT = 8;
export const STANDING_MASK = 15;
export const ORDER_SHIFT = 12;
/** What keeps a backend from being compared. */
export const BARRED = FULL | TRIED | PACED;

/**
 * Copies what the last pick looked at. Runs in the thread that picked, at once, without allocation.
 * @param draw the pick's random number, by {@linkcode drawWord}.
 * @param into at least SNAPSHOT_WORDS.
 * @returns how many words were written.
 */
export function takeSnapshot(
  table: PickTable,
  tried: Tried | null,
  choice: Choice,
  draw: number,
  into: Int32Array,
): number {
  const words = table.words;
  const { rows } = table;
  const winner = choice.row;
  const runnerUp = choice.runnerUp;
  into[KERNEL_AT] = choice.kernel;
  into[NEARLY_EQUAL_AT] = words[NEARLY_EQUAL]!;
  into[DRAW_AT] = draw;
  into[STICKY_AT] = choice.sticky ? 1 : 0;
  let at = HEADER_LENGTH;
  if (winner >= 0) {
    at = copyRow(words, winner, tried, choice, into, at);
    // As it was before this connection took its place there.
    into[at - 5] = into[at - 5]! & ~BARRED | CHOSEN | ELIGIBLE_MARK;
    into[at - 4] = choice.free;
    into[at - 3] = choice.active;
  }
  if (runnerUp >= 0) at = copyRow(words, runnerUp, tried, choice, into, at);
  // Where there are too many, those that could be chosen come first.
  const passes = rows > SNAPSHOT_ROWS ? 2 : 1;
  for (let pass = 0; pass < passes; pass++) {
    for (let row = 0; row < rows && at < SNAPSHOT_WORDS; row++) {
      if (row === winner || row === runnerUp) continue;
      if (passes === 2) {
        const isEligible = takesPart(words, HEADER_WORDS + row * ROW_WORDS, choice.reach);
        if (isEligible !== (pass === 0)) continue;
      }
      at = copyRow(words, row, tried, choice, into, at);
    }
  }
  into[COUNT_AT] = (at - HEADER_LENGTH) / ROW_LENGTH;
  return at;
}

/** The kernel that made the pick of the snapshot that begins at word `at`. */
export function snapshotKernel(words: Int32Array, at: number): PickKernel {
  return KERNEL_NAMES[words[at + KERNEL_AT]!] ?? "rotation";
}

/** Words of the snapshot that begins at word `at`. */
export function snapshotLength(words: Int32Array, at: number): number {
  return HEADER_LENGTH + words[at + COUNT_AT]! * ROW_LENGTH;
}

function copyRow(
  words: Int32Array,
  row: number,
  tried: Tried | null,
  choice: Choice,
  into: Int32Array,
  at: number,
): number {
  const from = HEADER_WORDS + row * ROW_WORDS;
  const limit = words[from + MAX_CONNECTIONS]!;
  const active = words[from + ACTIVE]!;
  let marks = words[from + ORDER]! << ORDER_SHIFT | words[from + STANDING]! << STANDING_SHIFT;
  if (takesPart(words, from, choice.reach)) marks |= ELIGIBLE_MARK;
  if (words[from + ELIGIBLE]! > ALWAYS) marks |= BACKUP_MARK;
  if (limit !== 0 && active >= limit) marks |= FULL;
  if (tried !== null && tried.has(row)) marks |= TRIED;
  // A client that was sent back asked for no ceiling.
  const ceiling = choice.sticky ? NO_CEILING : choice.ceiling;
  if (ceiling !== NO_CEILING && youngOf(words, from) >= ceiling) marks |= PACED;
  if (choice.charge > 0 && newLoginsOf(words, from) > 0) marks |= CHARGED;
  into[at] = row;
  into[at + 1] = marks;
  into[at + 2] = freeNow(words, from);
  into[at + 3] = active;
  into[at + 4] = choice.scored ? choice.scores[row]! : NO_SCORE;
  into[at + 5] = weightOf(words, from);
  return at + ROW_LENGTH;
}
