// What a pool looked like to one pick: taken by the thread that picks, right after the pick, as a run of
// 32-bit words; read back on the control plane with the reason why each backend won or lost.
//
//   header  [ kernel | nearly equal | draw | rows | sticky ]
//   row     [ row | marks | free milli-cores | active | score | weight ]     the winner, the runner-up, the rest
//
// A word that future kernels compare goes behind the weight: the length of a row is ROW_LENGTH alone.
//
// `!` on typed-array reads: indices are below the table's row count, or within a snapshot, by construction.

import { type Choice, DRAW_UNITS, type Tried } from "./choice.ts";
import { takesPart, weightOf } from "./kernels/candidate.ts";
import { NO_CEILING } from "./kernels/pace.ts";
import {
  ACTIVE,
  ALWAYS,
  ELIGIBLE,
  freeNow,
  HEADER_WORDS,
  KERNELS,
  MAX_CONNECTIONS,
  NEARLY_EQUAL,
  ORDER,
  type PickKernel,
  type PickTable,
  ROW_WORDS,
  STANDING,
  UNKNOWN_FREE,
  WEIGHT_UNIT,
} from "./pick_table.ts";
import { type Standing, STANDINGS } from "../pool/standing.ts";
import { newLoginsOf, youngOf } from "./young.ts";

export { drawWord } from "./choice.ts";

/** The most backends that a snapshot shows. */
export const SNAPSHOT_ROWS = 32;

const KERNEL_AT = 0;
const NEARLY_EQUAL_AT = 1;
const DRAW_AT = 2;
const COUNT_AT = 3;
const STICKY_AT = 4;
const HEADER_LENGTH = 5;
const ROW_LENGTH = 6;

/** Words that a snapshot takes at most. */
export const SNAPSHOT_WORDS = HEADER_LENGTH + SNAPSHOT_ROWS * ROW_LENGTH;

/** Marks of a row; its standing stands above them, and its place in the configuration above that. */
const CHOSEN = 1;
const ELIGIBLE_MARK = 2;
const FULL = 4;
const TRIED = 8;
const PACED = 16;
const STANDS_BY_MARK = 32;
/** New logins of a burst counted against it. */
const CHARGED = 64;
const STANDING_SHIFT = 8;
const STANDING_MASK = 15;
const ORDER_SHIFT = 12;
/** What keeps a backend from being compared. */
const BARRED = FULL | TRIED | PACED;

/** Stands for a score that the kernel did not work out. */
const NO_SCORE = -0x8000_0000;
const MOST_FREE = KERNELS.indexOf("most_free");

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
  return KERNELS[words[at + KERNEL_AT]!] ?? "rotation";
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
  if (words[from + ELIGIBLE]! > ALWAYS) marks |= STANDS_BY_MARK;
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
  into[at + 4] = choice.kernel === MOST_FREE && !choice.sticky ? choice.scores[row]! : NO_SCORE;
  into[at + 5] = weightOf(words, from);
  return at + ROW_LENGTH;
}

/** Why the winner won, in one word. */
export type Why =
  /** The most cores free, as the pool weighs them. */
  | "most_free"
  /** One of several that were as good as the best, drawn by chance in proportion. */
  | "near_equal"
  /** The fewest sessions. */
  | "fewest"
  | "turn"
  /** Drawn by chance, whatever the load. */
  | "chance"
  /** No other could be chosen. */
  | "only_one"
  /** None could be chosen. */
  | "nobody"
  /** This client had been there before. */
  | "sticky"
  /** Held back, but no other could take it. */
  | "stand_by"
  /** The better one of two that were drawn. */
  | "better_of_two"
  /** The first of the list that had room. */
  | "first_with_room"
  /** The place that the client's address has by its hash. */
  | "hash"
  /** Another kernel's choice, by its name. */
  | PickKernel;

/** What became of one backend in a pick. */
export type PickOutcome =
  | "chosen"
  | "less_free"
  /** More cores free, but under so much more load that they are less sure to stay free. */
  | "busier"
  /** More cores free, but of a burst of logins it has had its part already. */
  | "new_logins"
  /** As good as the winner; chance took the other. */
  | "near_equal"
  | "more_sessions"
  | "not_its_turn"
  | "not_drawn"
  /** The worse one of two that were drawn. */
  | "worse_of_two"
  /** Stands further down the list. */
  | "later"
  /** Stands further up the list, without room. */
  | "no_room"
  /** Stood back, because it has many young connections. */
  | "paced"
  /** Nobody knows its load, and others' loads are known. */
  | "load_unknown"
  | "full"
  /** This connection had tried it already. */
  | "tried"
  | Exclude<Standing, "ready">
  /** Up and enabled, but the strategy sends nothing there. */
  | "set_aside"
  | "not_chosen";

/** One backend as a pick saw it. */
export interface SeenBackend {
  readonly backend: string;
  readonly outcome: PickOutcome;
  /** Absent when nobody knows. */
  readonly freeMilliCores?: number;
  /** Sessions, this one not counted. */
  readonly active: number;
  /** What `most_free` compared: free milli-cores as the row scales them. */
  readonly score?: number;
  /** Its share beside others; absent: 1. */
  readonly weight?: number;
}

/** What a pick saw, and why it fell as it did. */
export interface Snapshot {
  readonly kernel: PickKernel;
  readonly why: Why;
  /** The winner if there is one, the runner-up, then the others. */
  readonly backends: readonly SeenBackend[];
  /** Backends of the pool that did not fit in. */
  readonly omitted: number;
  /** Scores so near to the best were as good. */
  readonly nearlyEqual: number;
  /** The pick's random number, in [0, 1). */
  readonly draw: number;
}

/**
 * Reads snapshots in place: names and reasons, without an object per snapshot or row. Made once and
 * pointed at one snapshot after the other.
 */
export class SnapshotReader {
  #words: Int32Array = new Int32Array(0);
  #names: readonly ({ readonly backend: string } | undefined)[] = [];
  #first = 0;
  #end = 0;
  #row = 0;
  #winner = -1;
  #line = 0;
  #whyCompared: Why = "nobody";
  kernel: PickKernel = "rotation";
  why: Why = "nobody";
  /** Scores so near to the best were as good. */
  nearlyEqual = 0;
  /** Of the row that `next` has come to. */
  backend = "";

  /** Points at the snapshot that begins at word `at`, before its first row. */
  read(
    words: Int32Array,
    at: number,
    names: readonly ({ readonly backend: string } | undefined)[],
  ): void {
    this.#words = words;
    this.#names = names;
    const first = at + HEADER_LENGTH;
    const end = first + words[at + COUNT_AT]! * ROW_LENGTH;
    this.#first = first;
    this.#end = end;
    this.kernel = snapshotKernel(words, at);
    this.nearlyEqual = words[at + NEARLY_EQUAL_AT]!;
    let candidates = 0;
    let best = NO_SCORE;
    for (let row = first; row < end; row += ROW_LENGTH) {
      if (!isCandidate(words, row)) continue;
      candidates++;
      best = Math.max(best, words[row + 4]!);
    }
    this.#line = best - this.nearlyEqual;
    let nearBest = 0;
    for (let row = first; row < end; row += ROW_LENGTH) {
      if (isCandidate(words, row) && words[row + 4]! > this.#line) nearBest++;
    }
    const winner = first < end && (words[first + 1]! & CHOSEN) !== 0 ? first : -1;
    this.#winner = winner;
    const why = words[at + STICKY_AT] !== 0
      ? "sticky"
      : whyOf(words, winner, this.kernel, candidates, nearBest);
    this.#whyCompared = why;
    const stoodBy = winner >= 0 && (words[winner + 1]! & STANDS_BY_MARK) !== 0;
    this.why = stoodBy && why !== "sticky" ? "stand_by" : why;
    this.rewind();
  }

  /** Goes back before the first row. */
  rewind(): void {
    this.#row = this.#first - ROW_LENGTH;
  }

  /** Goes on to the next row that has a name; false behind the last one. */
  next(): boolean {
    for (let row = this.#row + ROW_LENGTH; row < this.#end; row += ROW_LENGTH) {
      const name = this.#names[this.#words[row]!];
      if (name === undefined) continue;
      this.backend = name.backend;
      this.#row = row;
      return true;
    }
    this.#row = this.#end;
    return false;
  }

  get outcome(): PickOutcome {
    return outcomeOf(
      this.#words,
      this.#row,
      this.#winner,
      this.kernel,
      this.#whyCompared,
      this.#line,
    );
  }

  /** Milli-cores; UNKNOWN_FREE when nobody knows. */
  get free(): number {
    return this.#words[this.#row + 2]!;
  }

  get active(): number {
    return this.#words[this.#row + 3]!;
  }

  /** NO_SCORE when the kernel worked none out. */
  get score(): number {
    return this.#words[this.#row + 4]!;
  }

  /** In WEIGHT_UNIT. */
  get weight(): number {
    return this.#words[this.#row + 5]!;
  }

  /** Backends of the pool that did not fit in. */
  get omitted(): number {
    let all = 0;
    for (const name of this.#names) if (name !== undefined) all++;
    for (let row = this.#first; row < this.#end; row += ROW_LENGTH) {
      if (this.#names[this.#words[row]!] !== undefined) all--;
    }
    return Math.max(0, all);
  }
}

/** Puts names and reasons to a snapshot that begins at word `at`; rows without a name are left out. */
export function readSnapshot(
  words: Int32Array,
  at: number,
  names: readonly ({ readonly backend: string } | undefined)[],
): Snapshot {
  const reader = new SnapshotReader();
  reader.read(words, at, names);
  const { kernel, why, nearlyEqual, omitted } = reader;
  const backends: SeenBackend[] = [];
  while (reader.next()) {
    const { backend, outcome, free, active, score, weight } = reader;
    backends.push({
      backend,
      outcome,
      ...(free === UNKNOWN_FREE ? {} : { freeMilliCores: free }),
      active,
      ...(score === NO_SCORE || free === UNKNOWN_FREE ? {} : { score }),
      ...(weight === WEIGHT_UNIT ? {} : { weight: weight / WEIGHT_UNIT }),
    });
  }
  const draw = words[at + DRAW_AT]! / DRAW_UNITS;
  return { kernel, why, backends, omitted, nearlyEqual, draw };
}

function isCandidate(words: Int32Array, row: number): boolean {
  const marks = words[row + 1]!;
  return (marks & ELIGIBLE_MARK) !== 0 && (marks & BARRED) === 0;
}

function whyOf(
  words: Int32Array,
  winner: number,
  kernel: PickKernel,
  candidates: number,
  nearBest: number,
): Why {
  if (winner < 0) return "nobody";
  if (candidates <= 1) return "only_one";
  switch (kernel) {
    case "most_free":
      if (words[winner + 2] === UNKNOWN_FREE) return nearBest > 1 ? "chance" : "fewest";
      return nearBest > 1 ? "near_equal" : "most_free";
    case "least_connections":
      return "fewest";
    case "random":
      return "chance";
    case "rotation":
      return "turn";
    case "two_choices":
      return "better_of_two";
    case "source_hash":
      return "hash";
    case "first":
      // Without room anywhere, it takes the most free.
      return words[winner + 2]! > 0 || words[winner + 2] === UNKNOWN_FREE
        ? "first_with_room"
        : "most_free";
    default:
      return kernel;
  }
}

function outcomeOf(
  words: Int32Array,
  row: number,
  winner: number,
  kernel: PickKernel,
  why: Why,
  line: number,
): PickOutcome {
  if (row === winner) return "chosen";
  const marks = words[row + 1]!;
  if ((marks & TRIED) !== 0) return "tried";
  if ((marks & ELIGIBLE_MARK) === 0) {
    const standing = STANDINGS[marks >> STANDING_SHIFT & STANDING_MASK] ?? "ready";
    return standing === "ready" ? "set_aside" : standing;
  }
  if ((marks & FULL) !== 0) return "full";
  if ((marks & PACED) !== 0) return "paced";
  if (winner < 0 || why === "sticky") return "not_chosen";
  const moreSessions = (words[row + 3]! + 1) * words[winner + 5]! >
    (words[winner + 3]! + 1) * words[row + 5]!;
  switch (kernel) {
    case "most_free": {
      const free = words[row + 2]!;
      const winnerFree = words[winner + 2]!;
      if (free === UNKNOWN_FREE) {
        if (winnerFree !== UNKNOWN_FREE) return "load_unknown";
        return moreSessions ? "more_sessions" : "not_drawn";
      }
      if (words[row + 4]! > line) return "near_equal";
      if (free <= winnerFree) return "less_free";
      return (marks & CHARGED) !== 0 ? "new_logins" : "busier";
    }
    case "least_connections":
      return moreSessions ? "more_sessions" : "not_its_turn";
    case "random":
      return "not_drawn";
    case "rotation":
      return "not_its_turn";
    case "two_choices":
      // The runner-up, which stands behind the winner, is the other one.
      return row === winner + ROW_LENGTH ? "worse_of_two" : "not_drawn";
    case "first":
      if (words[row + 2] === UNKNOWN_FREE && words[winner + 2] !== UNKNOWN_FREE) {
        return "load_unknown";
      }
      // Without room anywhere near-equals are drawn by chance.
      if (why === "most_free") {
        return words[row + 2]! <= words[winner + 2]! ? "less_free" : "near_equal";
      }
      return marks >> ORDER_SHIFT > words[winner + 1]! >> ORDER_SHIFT ? "later" : "no_room";
    default:
      return "not_chosen";
  }
}
