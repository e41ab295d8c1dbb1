// Picks as engines remember them: words in one slab of fixed size, which the newest overwrite. A pick is
// known by its place; names and reasons are put to it only when somebody asks. The picks of one
// connection are a chain, the last one first.
//
//   entry  [ previous (2) | at (2) | failure | names | snapshot … ]
//
// `!` on typed-array reads: offsets are within the slab, since a snapshot stands in one piece.

import type { PickTrace } from "../core/pick/pick_report.ts";
import { snapshotKernel, snapshotLength } from "../core/pick/decision_snapshot.ts";
import { readSnapshot, SnapshotReader } from "../core/pick/snapshot_reader.ts";
import { type FailureKind, FAILURES } from "../core/values/errors.ts";
import type { Endpoint, Picks } from "./engine.ts";

/** 1 MiB: some 2500 picks in a pool of 16, 1300 in one of 32 or more. */
const DEFAULT_WORDS = 1 << 18;
/** Words of an entry before its snapshot. */
const ENTRY_HEAD = 6;
const AT = 2;
const FAILURE = 4;
const NAMES = 5;
/** Lists of names that are kept; each plan that is published brings one. */
const MOST_NAMES = 256;

/** The place of no pick. */
export const NO_PICK = -1;

const SCRATCH = new Float64Array(1);
const HALVES = new Int32Array(SCRATCH.buffer);

/** The last picks, as many as fit. */
export class PickStore implements Picks {
  readonly #words: Int32Array;
  readonly #mask: number;
  /** Words that were ever written or passed over. */
  #head = 0;
  /** What stood in the rows, by number modulo MOST_NAMES. */
  readonly #names: (readonly (Endpoint | undefined)[])[] = [];
  #namesCount = 0;
  readonly #reader = new SnapshotReader();

  /** @param words a power of two. */
  constructor(words: number = DEFAULT_WORDS) {
    this.#words = new Int32Array(words);
    this.#mask = words - 1;
  }

  /**
   * Keeps a pick.
   * @param words where its snapshot begins at `at`. @param names what stood in the rows.
   * @param previous the place of the connection's pick before, or NO_PICK.
   * @returns its place.
   */
  put(
    words: Int32Array,
    at: number,
    names: readonly (Endpoint | undefined)[],
    atMs: number,
    previous: number,
  ): number {
    const length = ENTRY_HEAD + snapshotLength(words, at);
    const slab = this.#words;
    const size = slab.length;
    const left = size - (this.#head & this.#mask);
    if (length > left) this.#head += left;
    const place = this.#head;
    const to = this.#slot(place);
    SCRATCH[0] = previous;
    slab[to] = HALVES[0]!;
    slab[to + 1] = HALVES[1]!;
    SCRATCH[0] = atMs;
    slab[to + AT] = HALVES[0]!;
    slab[to + AT + 1] = HALVES[1]!;
    slab[to + FAILURE] = -1;
    slab[to + NAMES] = this.#numberOf(names);
    for (let i = ENTRY_HEAD; i < length; i++) slab[to + i] = words[at + i - ENTRY_HEAD]!;
    this.#head += length;
    return place;
  }

  /** The backend of a pick did not take the connection. */
  failed(place: number, failure: FailureKind): void {
    if (this.#has(place)) {
      this.#words[this.#slot(place) + FAILURE] = FAILURES.indexOf(failure);
    }
  }

  read(place: number): SnapshotReader | undefined {
    const names = this.#namesAt(place);
    if (names === undefined) return undefined;
    this.#reader.read(this.#words, this.#slot(place) + ENTRY_HEAD, names);
    return this.#reader;
  }

  chain(last: number): readonly PickTrace[] {
    const traces: PickTrace[] = [];
    for (let place = last; this.#has(place); place = this.#number(place, 0)) {
      const at = this.#slot(place);
      const names = this.#namesAt(place);
      traces.push({
        atMs: this.#number(place, AT),
        kernel: snapshotKernel(this.#words, at + ENTRY_HEAD),
        snapshot: names && readSnapshot(this.#words, at + ENTRY_HEAD, names),
        failure: FAILURES[this.#words[at + FAILURE]!],
      });
    }
    return traces.reverse();
  }

  kernelAt(place: number): string | undefined {
    if (!this.#has(place)) return undefined;
    return snapshotKernel(this.#words, this.#slot(place) + ENTRY_HEAD);
  }

  #has(place: number): boolean {
    return place >= 0 && this.#head - place <= this.#words.length;
  }

  /** Where in the slab a place is: `&` is exact up to 2^53, `%` on such numbers calls a function of C. */
  #slot(place: number): number {
    return place & this.#mask;
  }

  #number(place: number, at: number): number {
    const from = this.#slot(place) + at;
    HALVES[0] = this.#words[from]!;
    HALVES[1] = this.#words[from + 1]!;
    return SCRATCH[0]!;
  }

  #namesAt(place: number): readonly (Endpoint | undefined)[] | undefined {
    if (!this.#has(place)) return undefined;
    const number = this.#words[this.#slot(place) + NAMES]!;
    return this.#namesCount - number <= MOST_NAMES ? this.#names[number % MOST_NAMES] : undefined;
  }

  /** Plans change seldom, and of few pools: the latest lists are looked at first. */
  #numberOf(names: readonly (Endpoint | undefined)[]): number {
    const count = this.#namesCount;
    const oldest = Math.max(0, count - MOST_NAMES);
    for (let number = count - 1; number >= oldest; number--) {
      if (this.#names[number % MOST_NAMES] === names) return number;
    }
    this.#names[count % MOST_NAMES] = names;
    return this.#namesCount++;
  }
}
