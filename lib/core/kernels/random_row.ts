// random: any backend, as often as its weight says.

import { NO_ROW, type Tried } from "../choice.ts";
import { HEADER_WORDS, type PickTable, ROW_WORDS } from "../pick_table.ts";
import { isCandidate, weightOf } from "./candidate.ts";

/** Any candidate, drawn in proportion to its weight. */
export function randomRow(table: PickTable, tried: Tried | null, random: number): number {
  return drawByWeight(table, tried, random * sumOfWeights(table, tried), NO_ROW);
}

/** The weights of all candidates. */
export function sumOfWeights(table: PickTable, tried: Tried | null): number {
  const words = table.words;
  const rows = table.rows;
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    const at = HEADER_WORDS + row * ROW_WORDS;
    if (isCandidate(words, at, row, tried)) sum += weightOf(words, at);
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
): number {
  const words = table.words;
  const rows = table.rows;
  let left = point;
  let chosen = NO_ROW;
  for (let row = 0; row < rows; row++) {
    const at = HEADER_WORDS + row * ROW_WORDS;
    if (row === without || !isCandidate(words, at, row, tried)) continue;
    chosen = row;
    left -= weightOf(words, at);
    if (left < 0) return row;
  }
  return chosen;
}
