// random: any backend, as often as its weight says.

import { type Choice, NO_ROW, type Tried } from "../choice.ts";
import { HEADER_WORDS, type PickTable, ROW_WORDS } from "../pick_table.ts";
import { weightOf } from "../candidate.ts";
import { CHANCE_WORDS, defineKernel, NOT_DRAWN_WORDS } from "./kernel.ts";
import { isOpen } from "../pacing.ts";

/** Any candidate, drawn in proportion to its weight. */
function randomRow(
  table: PickTable,
  tried: Tried | null,
  random: number,
  choice: Choice,
): number {
  return drawByWeight(table, tried, random * sumOfWeights(table, tried, choice), NO_ROW, choice);
}

export const RANDOM = defineKernel({
  name: "random",
  number: 3,
  run: randomRow,
  compares: false,
  paces: true,
  scores: false,
  why: { chance: CHANCE_WORDS },
  outcomes: { not_drawn: NOT_DRAWN_WORDS },
  whyOf: () => "chance",
  outcomeOf: () => "not_drawn",
});

/** The weights of all candidates. */
export function sumOfWeights(table: PickTable, tried: Tried | null, choice: Choice): number {
  const words = table.words;
  const rows = table.rows;
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    const at = HEADER_WORDS + row * ROW_WORDS;
    if (isOpen(words, at, row, tried, choice)) sum += weightOf(words, at);
  }
  return sum;
}

/**
 * The candidate, one left out, in whose part of the sum of weights a point lies; the last one for a
 * point beyond, as when another worker has just filled a row. NO_ROW when there is none.
 */
export function drawByWeight(
  table: PickTable,
  tried: Tried | null,
  point: number,
  without: number,
  choice: Choice,
): number {
  const words = table.words;
  const rows = table.rows;
  let left = point;
  let chosen = NO_ROW;
  for (let row = 0; row < rows; row++) {
    const at = HEADER_WORDS + row * ROW_WORDS;
    if (row === without || !isOpen(words, at, row, tried, choice)) continue;
    chosen = row;
    left -= weightOf(words, at);
    if (left < 0) return row;
  }
  return chosen;
}
