// A ring of records in shared memory from one writer (a worker) to one reader (the control plane).
// A record is a run of 32-bit words: its own length, its number among the records of all rings, and what
// it tells. The writer never waits: a record
// that does not fit is dropped and counted.
//
// `!` on typed-array reads: every index is masked to the ring's size.

import { NEXT_RECORD, RING_HEAD, RING_TAIL } from "./layout.ts";

const SCRATCH = new Float64Array(1);
const HALVES = new Int32Array(SCRATCH.buffer);

/** The worker's end. Words become visible to the reader with `commit`. */
export class RingWriter {
  readonly #words: Int32Array;
  readonly #control: Int32Array;
  readonly #engine: Int32Array;
  readonly #mask: number;
  #at = 0;
  #end = 0;
  /** RING_TAIL as it was last seen: the reader only makes room. */
  #tail: number;

  constructor(words: Int32Array, control: Int32Array, engine: Int32Array) {
    this.#words = words;
    this.#control = control;
    this.#engine = engine;
    this.#mask = words.length - 1;
    this.#at = Atomics.load(control, RING_HEAD);
    this.#tail = Atomics.load(control, RING_TAIL);
  }

  get empty(): boolean {
    return this.#at === Atomics.load(this.#control, RING_TAIL);
  }

  /** Begins a record of `length` words in all; false when there is no room. */
  begin(length: number): boolean {
    if (!this.#fits(length)) {
      this.#tail = Atomics.load(this.#control, RING_TAIL);
      if (!this.#fits(length)) return false;
    }
    this.#end = (this.#at + length) | 0;
    this.word(length);
    this.word(Atomics.add(this.#engine, NEXT_RECORD, 1));
    return true;
  }

  #fits(length: number): boolean {
    return ((this.#at - this.#tail) | 0) + length <= this.#words.length;
  }

  word(value: number): void {
    this.#words[this.#at & this.#mask] = value;
    this.#at = (this.#at + 1) | 0;
  }

  number(value: number): void {
    SCRATCH[0] = value;
    this.word(HALVES[0]!);
    this.word(HALVES[1]!);
  }

  copy(from: Int32Array, at: number, length: number): void {
    // In locals: a field read and written for each word costs twice as much.
    const words = this.#words;
    const mask = this.#mask;
    let to = this.#at;
    for (let i = 0; i < length; i++) {
      words[to & mask] = from[at + i]!;
      to = (to + 1) | 0;
    }
    this.#at = to;
  }

  /** @throws {Error} when the record is not as long as `begin` was told. */
  commit(): void {
    if (this.#at !== this.#end) throw new Error("Cannot commit a record: its length is wrong");
    Atomics.store(this.#control, RING_HEAD, this.#at);
  }
}

/** The control plane's end; there is one of a ring. */
export class RingReader {
  readonly #words: Int32Array;
  readonly #control: Int32Array;
  readonly #mask: number;
  /** RING_TAIL, and RING_HEAD as it was last seen: each look at shared memory by Atomics is a call of V8's. */
  #tail: number;
  #head: number;

  constructor(words: Int32Array, control: Int32Array) {
    this.#words = words;
    this.#control = control;
    this.#mask = words.length - 1;
    this.#tail = Atomics.load(control, RING_TAIL);
    this.#head = this.#tail;
  }

  get empty(): boolean {
    if (this.#head === this.#tail) this.#head = Atomics.load(this.#control, RING_HEAD);
    return this.#head === this.#tail;
  }

  /** The number of the oldest record; undefined when there is none. */
  get next(): number | undefined {
    return this.empty ? undefined : this.#words[(this.#tail + 1) & this.#mask];
  }

  /** Takes the oldest record out; false when there is none. */
  take(into: RecordCursor): boolean {
    if (this.empty) return false;
    // In locals: a field read for each word costs twice as much.
    const words = this.#words;
    const mask = this.#mask;
    const tail = this.#tail;
    const copy = into.words;
    const length = words[tail & mask]!;
    for (let i = 0; i < length; i++) copy[i] = words[(tail + i) & mask]!;
    into.at = RECORD_HEAD;
    this.#tail = (tail + length) | 0;
    Atomics.store(this.#control, RING_TAIL, this.#tail);
    return true;
  }
}

/**
 * The ring whose oldest record is the oldest of all; undefined when all are empty. Looks twice: a record
 * that was written while we looked may be what another one, seen already, came after.
 */
export function oldest(rings: readonly RingReader[]): RingReader | undefined {
  for (;;) {
    const found = lowest(rings);
    if (found === lowest(rings)) return found;
  }
}

function lowest(rings: readonly RingReader[]): RingReader | undefined {
  let found: RingReader | undefined;
  let number = 0;
  for (const ring of rings) {
    const { next } = ring;
    // By difference, since numbers wrap around at 2^32.
    if (next === undefined || (found !== undefined && ((next - number) | 0) > 0)) continue;
    found = ring;
    number = next;
  }
  return found;
}

/** Words before what a record tells: its length and its number. */
const RECORD_HEAD = 2;
/** More than the longest record has. */
const RECORD_WORDS = 256;

/** A record taken out of a ring; its words are read in the order in which they were written. */
export class RecordCursor {
  readonly words = new Int32Array(RECORD_WORDS);
  at = RECORD_HEAD;

  word(): number {
    return this.words[this.at++]!;
  }

  number(): number {
    HALVES[0] = this.word();
    HALVES[1] = this.word();
    return SCRATCH[0]!;
  }

  /** Passes over some words. @returns where they begin. */
  skip(words: number): number {
    const at = this.at;
    this.at += words;
    return at;
  }
}
