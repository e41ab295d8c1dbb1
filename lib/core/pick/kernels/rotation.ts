// rotation: backends take turns, each as often as its weight says, spread as evenly as can be.
//
// A virtual time: each row has a PASS that a pick moves on by 1 / weight, and the row that is owed the most is
// next. That is nginx's smooth weighted round robin with one word to change per pick, so threads race for a
// compare and exchange. A row that could not be picked goes with the time and is owed nothing when it is back.
//
// `!` on typed-array reads: indices are below the table's row count by construction.

import { type Choice, NO_ROW, type Tried } from "../choice.ts";
import {
  CURSOR,
  HEADER_WORDS,
  PASS,
  type PickTable,
  ROW_WORDS,
  VIRTUAL_TIME,
  WEIGHTED,
} from "../pick_table.ts";
import { defineKernel, NOT_ITS_TURN_WORDS } from "./kernel.ts";
import { isCandidate, NO_SCORE, RACES, weightOf } from "../candidate.ts";
import { isOpen } from "../pacing.ts";

/** What a pick moves PASS on by, × weight in thousandths: twice that at weight 0.001 still fits a word. */
const STRIDE = 2 ** 29;
/** How many picks a row can be owed at most, by a change of weights: it must not get a flood. */
const MOST_OWED = 2;
/** Stands for a row that is no candidate, among distances in virtual time. */
const OUT = NO_SCORE;

/** The next row; with equal weights in a circle, and the first pick is row 0. */
function rotation(table: PickTable, tried: Tried | null, choice: Choice): number {
  return table.words[WEIGHTED] === 0
    ? nextInCircle(table, tried, choice)
    : mostOwed(table, tried, choice);
}

export const ROTATION = defineKernel({
  name: "rotation",
  number: 0,
  run: (table, tried, _random, choice) => rotation(table, tried, choice),
  compares: false,
  paces: true,
  scores: false,
  why: { turn: { headline: "its turn {where}" } },
  outcomes: { not_its_turn: NOT_ITS_TURN_WORDS },
  whyOf: () => "turn",
  outcomeOf: () => "not_its_turn",
});

/** The first candidate after the last row taken. */
function nextInCircle(table: PickTable, tried: Tried | null, choice: Choice): number {
  const words = table.words;
  const rows = table.rows;
  for (let race = 0; race < RACES; race++) {
    const last = Atomics.load(words, CURSOR);
    let chosen = NO_ROW;
    for (let step = 1; step <= rows; step++) {
      const row = (last + step) % rows;
      if (isOpen(words, HEADER_WORDS + row * ROW_WORDS, row, tried, choice)) {
        chosen = row;
        break;
      }
    }
    if (chosen === NO_ROW) return NO_ROW;
    if (Atomics.compareExchange(words, CURSOR, last, chosen) === last) return chosen;
    // Taken out of turn rather than not at all.
    if (race === RACES - 1) return chosen;
  }
  return NO_ROW;
}

/**
 * The candidate that is owed the most picks: weight × (virtual time − its PASS), where virtual time
 * is such that nobody is owed anything in sum. That is nginx's smooth weighted round robin (each pick
 * adds the weight to every counter and takes the sum of weights off the winner's) with one word to
 * write instead of all, so that workers race for that word alone. Equals take turns.
 */
function mostOwed(table: PickTable, tried: Tried | null, choice: Choice): number {
  const words = table.words;
  const rows = table.rows;
  if (choice.scores.length < rows) choice.scores = new Int32Array(table.capacity);
  const ahead = choice.scores;
  for (let race = 0; race < RACES; race++) {
    const base = Atomics.load(words, VIRTUAL_TIME);
    let weights = 0;
    let sum = 0;
    for (let row = 0; row < rows; row++) {
      const at = HEADER_WORDS + row * ROW_WORDS;
      if (!isOpen(words, at, row, tried, choice)) {
        ahead[row] = OUT;
        // Who cannot be chosen goes with the time: when it comes back, it is owed nothing.
        if (!isCandidate(words, at, row, null, choice.reach)) keepUp(words, at, base);
        continue;
      }
      const weight = weightOf(words, at);
      const distance = bounded(words, at, base, STRIDE / weight);
      ahead[row] = distance;
      weights += weight;
      sum += weight * distance;
    }
    if (weights === 0) return NO_ROW;
    const now = sum / weights;
    const last = Atomics.load(words, CURSOR);
    let chosen = NO_ROW;
    let most = -Infinity;
    for (let step = 1; step <= rows; step++) {
      const row = (last + step) % rows;
      const distance = ahead[row]!;
      if (distance === OUT) continue;
      const weight = weightOf(words, HEADER_WORDS + row * ROW_WORDS);
      // What this pick itself adds, STRIDE × weight / weights, is left in: it decides, too.
      const owed = weight * (now - distance) + STRIDE * weight / weights;
      if (owed > most) {
        chosen = row;
        most = owed;
      }
    }
    const at = HEADER_WORDS + chosen * ROW_WORDS;
    const pass = (base + ahead[chosen]!) | 0;
    const stride = strideOf(words, at);
    if (race === RACES - 1) Atomics.add(words, at + PASS, stride);
    else if (Atomics.compareExchange(words, at + PASS, pass, (pass + stride) | 0) !== pass) {
      continue;
    }
    Atomics.store(words, CURSOR, chosen);
    Atomics.store(words, VIRTUAL_TIME, (base + Math.round(now + STRIDE / weights)) | 0);
    return chosen;
  }
  return NO_ROW;
}

/** What a pick moves the PASS of the row on by that begins at word `at`. */
export function strideOf(words: Int32Array, at: number): number {
  return Math.round(STRIDE / weightOf(words, at));
}

/**
 * How far the row is ahead of virtual time, which it is brought near to where it is too far off: one
 * pick ahead is all that turns can lead to, the rest was left by other weights.
 */
function bounded(words: Int32Array, at: number, base: number, stride: number): number {
  const pass = words[at + PASS]!;
  const distance = (pass - base) | 0;
  const most = Math.round(stride);
  const least = -Math.min(MOST_OWED * most, STRIDE);
  const kept = distance > most ? most : distance < least ? least : distance;
  if (kept !== distance) Atomics.compareExchange(words, at + PASS, pass, (base + kept) | 0);
  return kept;
}

/** Lets a row go with virtual time. One that is ahead stays there: it had its turn before it filled up. */
function keepUp(words: Int32Array, at: number, base: number): void {
  const pass = words[at + PASS]!;
  if (((pass - base) | 0) < 0) Atomics.compareExchange(words, at + PASS, pass, base);
}
