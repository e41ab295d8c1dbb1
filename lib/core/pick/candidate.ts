// What all kernels ask of a row: whether the connection may go there, its weight, its score.
//
// `!` on typed-array reads: `at` is the start of a row of the table.

import type { Tried } from "./choice.ts";
import {
  ACTIVE,
  BASE_ACTIVE,
  COST_MILLI_CORES,
  ELIGIBLE,
  FREE_MILLI_CORES,
  MAX_CONNECTIONS,
  SCALE_ABOVE,
  SCALE_BELOW,
  SCALE_UNIT,
  UNKNOWN_FREE,
  WEIGHT,
  WEIGHT_UNIT,
} from "./pick_table.ts";
import { newLoginsOf } from "./young.ts";

/** A pick that another worker got ahead of starts over; this bounds it. */
export const RACES = 8;

/** The score of a backend that cannot be chosen; in a snapshot, a score that the kernel did not work out. */
export const NO_SCORE = -0x8000_0000;
/** Stands for a backend whose load nobody knows: below every score, the fewest tunnels first. */
const UNKNOWN_SCORE = -0x4000_0000;
/** The lowest score of a backend whose load is known. */
const LOWEST_SCORE = UNKNOWN_SCORE + 1;
const HIGHEST_SCORE = 0x7fff_ffff;
const PER_UNIT = 1 / SCALE_UNIT;

/** Tells whether the row that begins at word `at` takes part: `reach` is the highest ELIGIBLE that does. */
export function takesPart(words: Int32Array, at: number, reach: number): boolean {
  const eligible = words[at + ELIGIBLE]!;
  return eligible !== 0 && eligible <= reach;
}

/** Tells whether the connection may go to that row. */
export function isCandidate(
  words: Int32Array,
  at: number,
  row: number,
  tried: Tried | null,
  reach: number,
): boolean {
  if (!takesPart(words, at, reach)) return false;
  const limit = words[at + MAX_CONNECTIONS]!;
  if (limit !== 0 && words[at + ACTIVE]! >= limit) return false;
  return tried === null || !tried.has(row);
}

/** The row's share beside others, in thousandths, at least 1. */
export function weightOf(words: Int32Array, at: number): number {
  const weight = words[at + WEIGHT]!;
  return weight === 0 ? WEIGHT_UNIT : weight;
}

/**
 * Free milli-cores as the row scales them, a 32-bit integer.
 * @param charge milli-cores that each of its new logins counts for (burst_charge.ts).
 */
export function scoreOf(words: Int32Array, at: number, charge: number): number {
  const published = words[at + FREE_MILLI_CORES]!;
  const active = words[at + ACTIVE]!;
  if (published === UNKNOWN_FREE) return (UNKNOWN_SCORE - active) | 0;
  const taken = words[at + COST_MILLI_CORES]! * (active - words[at + BASE_ACTIVE]!);
  const burst = charge === 0 ? 0 : charge * newLoginsOf(words, at);
  const free = published - taken - burst;
  const scale = words[at + (free > 0 ? SCALE_ABOVE : SCALE_BELOW)]!;
  const score = scale === 0 ? free : free * scale * PER_UNIT;
  if (score < LOWEST_SCORE) return LOWEST_SCORE;
  return score > HIGHEST_SCORE ? HIGHEST_SCORE : score | 0;
}
