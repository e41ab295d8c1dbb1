// Reads what a pick saw of its pool (decision_snapshot.ts) on the control plane: names, and the reason why
// each backend won or lost. What kernels compare, they word themselves (kernels/kernel.ts).
//
// `!` on typed-array reads: indices are within a snapshot by construction.

import { type Standing, STANDINGS } from "../pool/standing.ts";
import { DRAW_UNITS } from "./choice.ts";
import { NO_SCORE } from "./candidate.ts";
import {
  BACKUP_MARK,
  BARRED,
  CHARGED,
  CHOSEN,
  COUNT_AT,
  DRAW_AT,
  ELIGIBLE_MARK,
  FULL,
  HEADER_LENGTH,
  KERNEL_AT,
  NEARLY_EQUAL_AT,
  ORDER_SHIFT,
  PACED,
  ROW_LENGTH,
  STANDING_MASK,
  STANDING_SHIFT,
  STICKY_AT,
  TRIED,
} from "./decision_snapshot.ts";
import type { SeenRow } from "./kernels/kernel.ts";
import {
  kernelAt,
  type KernelOutcome,
  type KernelWhy,
  OUTCOME_WORDS,
  type PickKernel,
} from "./kernels/registry.ts";
import { UNKNOWN_FREE, WEIGHT_UNIT } from "./pick_table.ts";

/** Why the winner won, in one word. */
export type Why =
  /** No other could be chosen. */
  | "only_one"
  /** None could be chosen. */
  | "nobody"
  /** This client had been there before. */
  | "sticky"
  /** Held back, but no other could take it. */
  | "backup"
  | KernelWhy;

/** Why a backend could not be chosen. */
export type Barrier =
  /** Stood back, because it has many young connections. */
  | "paced"
  | "full"
  /** This connection had tried it already. */
  | "tried"
  | Exclude<Standing, "ready">
  /** Up and enabled, but the strategy sends nothing there. */
  | "set_aside";

/** What became of one backend in a pick. */
export type PickOutcome = "chosen" | "not_chosen" | Barrier | KernelOutcome;

/** Whether a backend was compared with others, so that its numbers tell more than a reason. */
export function wasCompared(outcome: PickOutcome): boolean {
  return outcome === "chosen" || outcome === "not_chosen" || OUTCOME_WORDS.has(outcome);
}

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

/** Points at one row of a snapshot after the other. */
class SnapshotRow implements SeenRow {
  protected words: Int32Array = new Int32Array(0);
  protected first = 0;
  #line = 0;
  /** Where the row begins. */
  at = 0;

  /** @param first where the snapshot's rows begin. @param line scores above it are as good as the best. */
  point(words: Int32Array, at: number, first: number, line: number): void {
    this.words = words;
    this.at = at;
    this.first = first;
    this.#line = line;
  }

  get marks(): number {
    return this.words[this.at + 1]!;
  }

  /** Milli-cores; UNKNOWN_FREE when nobody knows. */
  get free(): number {
    return this.words[this.at + 2]!;
  }

  get active(): number {
    return this.words[this.at + 3]!;
  }

  /** NO_SCORE when the kernel worked none out. */
  get score(): number {
    return this.words[this.at + 4]!;
  }

  /** In WEIGHT_UNIT. */
  get weight(): number {
    return this.words[this.at + 5]!;
  }

  get order(): number {
    return this.marks >> ORDER_SHIFT;
  }

  get isNearBest(): boolean {
    return this.score > this.#line;
  }

  get isCharged(): boolean {
    return (this.marks & CHARGED) !== 0;
  }

  /** The runner-up stands behind the winner. */
  get isRunnerUp(): boolean {
    return this.at === this.first + ROW_LENGTH;
  }
}

/**
 * Reads snapshots in place: names and reasons, without an object per snapshot or row. Made once and
 * pointed at one snapshot after the other.
 */
export class SnapshotReader extends SnapshotRow {
  #names: readonly ({ readonly backend: string } | undefined)[] = [];
  #end = 0;
  readonly #winner = new SnapshotRow();
  #kernel = kernelAt(0);
  #hasWinner = false;
  #isSticky = false;
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
    this.#names = names;
    const first = at + HEADER_LENGTH;
    const end = first + words[at + COUNT_AT]! * ROW_LENGTH;
    this.#end = end;
    this.#kernel = kernelAt(words[at + KERNEL_AT]!);
    this.nearlyEqual = words[at + NEARLY_EQUAL_AT]!;
    let candidates = 0;
    let best = NO_SCORE;
    for (let row = first; row < end; row += ROW_LENGTH) {
      if (!isCandidate(words, row)) continue;
      candidates++;
      best = Math.max(best, words[row + 4]!);
    }
    const line = best - this.nearlyEqual;
    let nearBest = 0;
    for (let row = first; row < end; row += ROW_LENGTH) {
      if (isCandidate(words, row) && words[row + 4]! > line) nearBest++;
    }
    const winner = this.#winner;
    winner.point(words, first, first, line);
    this.point(words, first, first, line);
    this.#hasWinner = first < end && (winner.marks & CHOSEN) !== 0;
    this.#isSticky = words[at + STICKY_AT] !== 0;
    if (this.#isSticky) this.why = "sticky";
    else if (!this.#hasWinner) this.why = "nobody";
    else if ((winner.marks & BACKUP_MARK) !== 0) this.why = "backup";
    else if (candidates <= 1) this.why = "only_one";
    // The words of the kernel in the list, of which KernelWhy is made.
    else this.why = this.#kernel.whyOf(winner, nearBest);
    this.rewind();
  }

  /** Goes back before the first row. */
  rewind(): void {
    this.at = this.first - ROW_LENGTH;
  }

  /** Goes on to the next row that has a name; false behind the last one. */
  next(): boolean {
    for (let row = this.at + ROW_LENGTH; row < this.#end; row += ROW_LENGTH) {
      const name = this.#names[this.words[row]!];
      if (name === undefined) continue;
      this.backend = name.backend;
      this.at = row;
      return true;
    }
    this.at = this.#end;
    return false;
  }

  get kernel(): PickKernel {
    return this.#kernel.name;
  }

  get outcome(): PickOutcome {
    if (this.#hasWinner && this.at === this.#winner.at) return "chosen";
    const barrier = barrierOf(this.marks);
    if (barrier !== undefined) return barrier;
    if (!this.#hasWinner || this.#isSticky) return "not_chosen";
    return this.#kernel.outcomeOf(this, this.#winner);
  }

  /** Backends of the pool that did not fit in. */
  get omitted(): number {
    let all = 0;
    for (const name of this.#names) if (name !== undefined) all++;
    for (let row = this.first; row < this.#end; row += ROW_LENGTH) {
      if (this.#names[this.words[row]!] !== undefined) all--;
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

/** What kept a row from being compared; undefined: nothing. */
function barrierOf(marks: number): Barrier | undefined {
  if ((marks & TRIED) !== 0) return "tried";
  if ((marks & ELIGIBLE_MARK) === 0) {
    const standing = STANDINGS[marks >> STANDING_SHIFT & STANDING_MASK] ?? "ready";
    return standing === "ready" ? "set_aside" : standing;
  }
  if ((marks & FULL) !== 0) return "full";
  return (marks & PACED) !== 0 ? "paced" : undefined;
}
