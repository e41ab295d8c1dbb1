// most_free: the backend on which most is free, as its row scales it.
//
// `!` on typed-array reads: indices are below the table's row count by construction.

import { type Choice, NO_ROW, type Tried } from "../choice.ts";
import {
  ACTIVE,
  HEADER_WORDS,
  NEARLY_EQUAL,
  type PickTable,
  ROW_WORDS,
  UNKNOWN_FREE,
} from "../pick_table.ts";
import { burstCharge } from "../burst_charge.ts";
import { NO_SCORE, scoreOf } from "../candidate.ts";
import {
  CHANCE_WORDS,
  defineKernel,
  FEWEST_WORDS,
  holdsMore,
  LESS_FREE_WORDS,
  LOAD_UNKNOWN_WORDS,
  MORE_SESSIONS_WORDS,
  MOST_FREE_WORDS,
  NEAR_EQUAL_WORDS,
  NOT_DRAWN_WORDS,
} from "./kernel.ts";
import { isOpen } from "../pacing.ts";

/**
 * The highest score, which is free cores as the row scales them; of equals the lowest row. Near-equals
 * are drawn by chance, each in proportion to how far it is above the line where near-equal ends.
 */
export function mostFree(
  table: PickTable,
  tried: Tried | null,
  random: number,
  choice: Choice,
): number {
  const words = table.words;
  const rows = table.rows;
  if (choice.scores.length < rows) choice.scores = new Int32Array(table.capacity);
  const scores = choice.scores;
  const charge = burstCharge(words);
  choice.charge = charge;
  let best = NO_ROW;
  let bestScore = 0;
  let second = NO_ROW;
  let secondScore = 0;
  for (let row = 0; row < rows; row++) {
    const at = HEADER_WORDS + row * ROW_WORDS;
    scores[row] = NO_SCORE;
    if (!isOpen(words, at, row, tried, choice)) continue;
    const score = scoreOf(words, at, charge);
    scores[row] = score;
    if (best === NO_ROW || score > bestScore) {
      second = best;
      secondScore = bestScore;
      best = row;
      bestScore = score;
    } else if (second === NO_ROW || score > secondScore) {
      second = row;
      secondScore = score;
    }
  }
  choice.runnerUp = second;
  if (best === NO_ROW) return NO_ROW;
  const line = bestScore - words[NEARLY_EQUAL]!;
  let chosen = best;
  if (second !== NO_ROW && secondScore > line) {
    chosen = drawAbove(scores, rows, line, random, best);
    if (chosen !== best) choice.runnerUp = best;
  }
  choice.active = words[HEADER_WORDS + chosen * ROW_WORDS + ACTIVE]!;
  return chosen;
}

export const MOST_FREE = defineKernel({
  name: "most_free",
  number: 1,
  run: mostFree,
  compares: true,
  paces: true,
  scores: true,
  why: {
    /** The most cores free, as the pool weighs them. */
    most_free: MOST_FREE_WORDS,
    /** One of several that were as good as the best, drawn by chance in proportion. */
    near_equal: { headline: "{free}drawn by chance among near-equals {where}{next}" },
    fewest: FEWEST_WORDS,
    chance: CHANCE_WORDS,
  },
  outcomes: {
    less_free: LESS_FREE_WORDS,
    /** More cores free, but under so much more load that they are less sure to stay free. */
    busier: {
      text: "more cores free, but under more load: less sure to stay free",
      isNext: true,
    },
    /** More cores free, but less of them counts. */
    lighter: { text: "more cores free, but less weight", isNext: true },
    /** More cores free, but of a burst of logins it has had its part already. */
    new_logins: {
      text: "more cores free, but it has had its part of those who log in now",
      isNext: true,
    },
    near_equal: NEAR_EQUAL_WORDS,
    more_sessions: MORE_SESSIONS_WORDS,
    not_drawn: NOT_DRAWN_WORDS,
    /** Nobody knows its load, and others' loads are known. */
    load_unknown: LOAD_UNKNOWN_WORDS,
  },
  whyOf: (winner, nearBest) => {
    if (winner.free === UNKNOWN_FREE) return nearBest > 1 ? "chance" : "fewest";
    return nearBest > 1 ? "near_equal" : "most_free";
  },
  outcomeOf: (row, winner) => {
    if (row.free === UNKNOWN_FREE) {
      if (winner.free !== UNKNOWN_FREE) return "load_unknown";
      return holdsMore(row, winner) ? "more_sessions" : "not_drawn";
    }
    if (row.isNearBest) return "near_equal";
    if (row.free <= winner.free) return "less_free";
    if (row.weight < winner.weight) return "lighter";
    return row.isCharged ? "new_logins" : "busier";
  },
});

/** Draws one of the rows whose score is above the line, in proportion to how far it is above. */
function drawAbove(
  scores: Int32Array,
  rows: number,
  line: number,
  random: number,
  best: number,
): number {
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    const above = scores[row]! - line;
    if (above > 0) sum += above;
  }
  let left = random * sum;
  for (let row = 0; row < rows; row++) {
    const above = scores[row]! - line;
    if (above <= 0) continue;
    left -= above;
    if (left < 0) return row;
  }
  return best;
}
