// two_choices: of two backends drawn at random, the better one. Near the best with far less herding when
// several balancers go by the same samples (M. Mitzenmacher, The power of two choices, 2001).
//
// `!` on typed-array reads: indices are below the table's row count by construction.

import { type Choice, drawWord, NO_ROW, type Tried } from "../choice.ts";
import {
  ACTIVE,
  FREE_MILLI_CORES,
  HEADER_WORDS,
  type PickTable,
  ROW_WORDS,
  UNKNOWN_FREE,
} from "../pick_table.ts";
import { mixWords } from "../source.ts";
import { burstCharge } from "../burst_charge.ts";
import { scoreOf, weightOf } from "../candidate.ts";
import { defineKernel, NOT_DRAWN_WORDS } from "./kernel.ts";
import { drawByWeight, sumOfWeights } from "./random_row.ts";

const WORD = 2 ** 32;
/** Any number that no other hash of words begins with. */
const SECOND = 0x2c40_1ce5;

/**
 * Two different candidates, drawn in proportion to their weights. Where the load of both is known, the
 * one with the higher score; else the one with the fewer (tunnels + 1) / weight. Equals: the first drawn.
 * @param random in [0, 1); the second draw goes by its first 30 bits.
 */
function twoChoices(
  table: PickTable,
  tried: Tried | null,
  random: number,
  choice: Choice,
): number {
  const words = table.words;
  const sum = sumOfWeights(table, tried, choice);
  const first = drawByWeight(table, tried, random * sum, NO_ROW, choice);
  if (first === NO_ROW) return NO_ROW;
  // A hash of those bits of the first draw that are kept of a pick: a replay draws the same two.
  const again = (mixWords(SECOND, drawWord(random)) >>> 0) / WORD;
  const rest = sum - weightOf(words, HEADER_WORDS + first * ROW_WORDS);
  const second = drawByWeight(table, tried, again * rest, first, choice);
  choice.charge = burstCharge(words);
  const isSecond = second !== NO_ROW && isBetter(words, second, first, choice.charge);
  const chosen = isSecond ? second : first;
  choice.runnerUp = isSecond ? first : second;
  choice.active = words[HEADER_WORDS + chosen * ROW_WORDS + ACTIVE]!;
  return chosen;
}

export const TWO_CHOICES = defineKernel({
  name: "two_choices",
  number: 4,
  run: twoChoices,
  compares: true,
  paces: true,
  scores: false,
  why: { better_of_two: { headline: "{free}the better one of two drawn {where}{next}" } },
  outcomes: {
    worse_of_two: { text: "the worse one of two that were drawn", isNext: true },
    not_drawn: NOT_DRAWN_WORDS,
  },
  whyOf: () => "better_of_two",
  outcomeOf: (row) => row.isRunnerUp ? "worse_of_two" : "not_drawn",
});

function isBetter(words: Int32Array, one: number, other: number, charge: number): boolean {
  const a = HEADER_WORDS + one * ROW_WORDS;
  const b = HEADER_WORDS + other * ROW_WORDS;
  const known = words[a + FREE_MILLI_CORES] !== UNKNOWN_FREE &&
    words[b + FREE_MILLI_CORES] !== UNKNOWN_FREE;
  return known
    ? scoreOf(words, a, charge) > scoreOf(words, b, charge)
    : (words[a + ACTIVE]! + 1) * weightOf(words, b) < (words[b + ACTIVE]! + 1) * weightOf(words, a);
}
