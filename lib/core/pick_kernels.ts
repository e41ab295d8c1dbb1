// The kernels: each chooses a row of a PickTable for one connection. They run once per connection in
// every engine, so they are loops over integers without closures or allocation. A pick reserves: the
// winner's ACTIVE count is raised before it is returned, and `release` gives it back.
//
// `!` on typed-array reads: indices are below the table's row count by construction.

import {
  ACTIVE,
  BASE_ACTIVE,
  COST_MILLI_CORES,
  CURSOR,
  DEFAULT_CAPACITY,
  ELIGIBLE,
  FREE_MILLI_CORES,
  freeNow,
  HEADER_WORDS,
  KERNEL,
  MAX_CONNECTIONS,
  NEARLY_EQUAL,
  type PickTable,
  ROW_WORDS,
  SCALE_ABOVE,
  SCALE_BELOW,
  TOTAL,
  UNKNOWN_FREE,
} from "./pick_table.ts";

/** Rows that this connection has tried in vain. */
export class Tried {
  readonly rows = new Int32Array(MAX_TRIES);
  count = 0;

  add(row: number): void {
    if (this.count < MAX_TRIES) this.rows[this.count++] = row;
  }

  /** Whether no more rows can be remembered: the search has to end. */
  get full(): boolean {
    return this.count >= MAX_TRIES;
  }

  has(row: number): boolean {
    for (let i = 0; i < this.count; i++) if (this.rows[i] === row) return true;
    return false;
  }
}

/** The most backends that one connection tries. */
export const MAX_TRIES = 32;

/**
 * Why a pick fell as it did. One is made per engine loop and written anew by each pick, so that
 * explaining costs no allocation.
 */
export class Choice {
  /** The kernel's number in KERNELS. */
  kernel = 0;
  row = -1;
  /** Of the winner at that instant: free milli-cores, UNKNOWN_FREE when nobody knows. */
  free = UNKNOWN_FREE;
  /** Tunnels the winner held, this one not counted. */
  active = 0;
  /** The best of the others, -1 when there was none. */
  runnerUp = -1;
  runnerUpFree = UNKNOWN_FREE;
  runnerUpActive = 0;
  /** Scratch of the kernels, by row. */
  scores = new Int32Array(DEFAULT_CAPACITY);
}

const NO_ROW = -1;
/** A pick that another worker got ahead of starts over; this bounds it. */
const RACES = 8;
/** Stands for a backend whose load nobody knows: below every score, the fewest tunnels first. */
const UNKNOWN_SCORE = -0x4000_0000;
/** Stands for a backend that cannot be chosen at all. */
const NO_SCORE = -0x8000_0000;

/**
 * Chooses a row by the table's kernel and reserves a place in it.
 * @param random in [0, 1), used by `random`, and by `most_free` among near-equals.
 * @returns the row, or -1 when no backend can take the connection.
 */
export function pick(
  table: PickTable,
  tried: Tried | null,
  random: number,
  choice: Choice,
): number {
  const words = table.words;
  const kernel = Atomics.load(words, KERNEL);
  choice.kernel = kernel;
  for (let race = 0; race < RACES; race++) {
    choice.runnerUp = NO_ROW;
    let row = NO_ROW;
    switch (kernel) {
      case 1:
        row = mostFree(table, tried, random, choice);
        break;
      case 2:
        row = leastConnections(table, tried, choice);
        break;
      case 3:
        row = randomRow(table, tried, random);
        break;
      default:
        row = rotation(table, tried);
    }
    choice.row = row;
    if (row === NO_ROW) return NO_ROW;
    const at = HEADER_WORDS + row * ROW_WORDS;
    choice.free = freeNow(words, at);
    // Kernels that compare tunnels or what they cost take the place only as they saw it, so that
    // workers which pick at the same instant do not all take the same best one.
    const compares = kernel === 1 || kernel === 2;
    const seen = compares && race < RACES - 1 ? choice.active : ANY_COUNT;
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

/**
 * Gives back the place that a pick reserved, and with it the expected cost: call it once for each pick
 * that gave a row, when its connect has failed or its tunnel has ended.
 */
export function release(table: PickTable, row: number): void {
  Atomics.sub(table.words, HEADER_WORDS + row * ROW_WORDS + ACTIVE, 1);
}

/** Counts a tunnel that was made. */
export function countTunnel(table: PickTable, row: number): void {
  Atomics.add(table.words, HEADER_WORDS + row * ROW_WORDS + TOTAL, 1);
}

const ANY_COUNT = -1;

/** Takes a place unless another worker changed the count or took the last one since the kernel looked. */
function reserve(words: Int32Array, at: number, seen: number, choice: Choice): boolean {
  const limit = words[at + MAX_CONNECTIONS]!;
  if (seen !== ANY_COUNT) {
    if (limit !== 0 && seen >= limit) return false;
    choice.active = seen;
    return Atomics.compareExchange(words, at + ACTIVE, seen, seen + 1) === seen;
  }
  const before = Atomics.add(words, at + ACTIVE, 1);
  if (limit !== 0 && before >= limit) {
    Atomics.sub(words, at + ACTIVE, 1);
    return false;
  }
  choice.active = before;
  return true;
}

function usable(words: Int32Array, at: number): boolean {
  if (words[at + ELIGIBLE] === 0) return false;
  const limit = words[at + MAX_CONNECTIONS]!;
  return limit === 0 || words[at + ACTIVE]! < limit;
}

/** The first usable row after the last one taken, in a circle; the first pick is row 0. */
function rotation(table: PickTable, tried: Tried | null): number {
  const words = table.words;
  const rows = table.rows;
  for (let race = 0; race < RACES; race++) {
    const last = Atomics.load(words, CURSOR);
    let chosen = NO_ROW;
    for (let step = 1; step <= rows; step++) {
      const row = (last + step) % rows;
      if (usable(words, HEADER_WORDS + row * ROW_WORDS) && !(tried !== null && tried.has(row))) {
        chosen = row;
        break;
      }
    }
    if (chosen === NO_ROW) return NO_ROW;
    if (Atomics.compareExchange(words, CURSOR, last, chosen) === last) return chosen;
  }
  return NO_ROW;
}

/**
 * The highest score, which is free cores as the row scales them; of equals the lowest row. Near-equals
 * are drawn by chance, each in proportion to how far it is above the line where near-equal ends.
 */
function mostFree(
  table: PickTable,
  tried: Tried | null,
  random: number,
  choice: Choice,
): number {
  const words = table.words;
  const rows = table.rows;
  if (choice.scores.length < rows) choice.scores = new Int32Array(table.capacity);
  const scores = choice.scores;
  let best = NO_ROW;
  let bestScore = 0;
  let second = NO_ROW;
  let secondScore = 0;
  for (let row = 0; row < rows; row++) {
    const at = HEADER_WORDS + row * ROW_WORDS;
    scores[row] = NO_SCORE;
    if (!usable(words, at) || (tried !== null && tried.has(row))) continue;
    const score = scoreOf(words, at);
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

/** Free milli-cores as the row scales them, a 32-bit integer. */
function scoreOf(words: Int32Array, at: number): number {
  const published = words[at + FREE_MILLI_CORES]!;
  const active = words[at + ACTIVE]!;
  if (published === UNKNOWN_FREE) return (UNKNOWN_SCORE - active) | 0;
  const free = published - words[at + COST_MILLI_CORES]! * (active - words[at + BASE_ACTIVE]!);
  const scale = words[at + (free > 0 ? SCALE_ABOVE : SCALE_BELOW)]!;
  return scale === 0 ? free | 0 : (free * scale * 0.001) | 0;
}

/** The fewest tunnels; equals take turns, starting after the last row taken. */
function leastConnections(table: PickTable, tried: Tried | null, choice: Choice): number {
  const words = table.words;
  const rows = table.rows;
  const last = Atomics.load(words, CURSOR);
  let best = NO_ROW;
  let bestActive = 0;
  let second = NO_ROW;
  let secondActive = 0;
  for (let step = 1; step <= rows; step++) {
    const row = (last + step) % rows;
    const at = HEADER_WORDS + row * ROW_WORDS;
    if (!usable(words, at) || (tried !== null && tried.has(row))) continue;
    const active = words[at + ACTIVE]!;
    if (best === NO_ROW || active < bestActive) {
      second = best;
      secondActive = bestActive;
      best = row;
      bestActive = active;
    } else if (second === NO_ROW || active < secondActive) {
      second = row;
      secondActive = active;
    }
  }
  choice.runnerUp = second;
  choice.active = bestActive;
  if (best !== NO_ROW) Atomics.store(words, CURSOR, best);
  return best;
}

/** Any usable row, each as likely as the next. */
function randomRow(table: PickTable, tried: Tried | null, random: number): number {
  const words = table.words;
  const rows = table.rows;
  let count = 0;
  for (let row = 0; row < rows; row++) {
    if (usable(words, HEADER_WORDS + row * ROW_WORDS) && !(tried !== null && tried.has(row))) {
      count++;
    }
  }
  let skip = Math.floor(random * count);
  for (let row = 0; row < rows; row++) {
    if (!usable(words, HEADER_WORDS + row * ROW_WORDS) || (tried !== null && tried.has(row))) {
      continue;
    }
    if (skip-- === 0) return row;
  }
  return NO_ROW;
}
