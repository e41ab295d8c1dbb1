// A ring of records in shared memory from one writer (a worker) to one reader (the control plane).
// A record is a run of 32-bit words that begins with its own length. The writer never waits: a record
// that does not fit is dropped and counted.
//
// `!` on typed-array reads: every index is masked to the ring's size.

import { RING_HEAD, RING_TAIL } from "./layout.ts";

const SCRATCH = new Float64Array(1);
const HALVES = new Int32Array(SCRATCH.buffer);

/** The worker's end. Words become visible to the reader with `commit`. */
export class RingWriter {
  readonly #words: Int32Array;
  readonly #control: Int32Array;
  readonly #mask: number;
  #at = 0;

  constructor(words: Int32Array, control: Int32Array) {
    this.#words = words;
    this.#control = control;
    this.#mask = words.length - 1;
    this.#at = Atomics.load(control, RING_HEAD);
  }

  get empty(): boolean {
    return this.#at === Atomics.load(this.#control, RING_TAIL);
  }

  /** Begins a record of `length` words; false when there is no room. */
  begin(length: number): boolean {
    const used = (this.#at - Atomics.load(this.#control, RING_TAIL)) | 0;
    if (used + length > this.#words.length) return false;
    this.word(length);
    return true;
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
    for (let i = 0; i < length; i++) this.word(from[at + i]!);
  }

  commit(): void {
    Atomics.store(this.#control, RING_HEAD, this.#at);
  }
}

/** The control plane's end. */
export class RingReader {
  readonly #words: Int32Array;
  readonly #control: Int32Array;
  readonly #mask: number;

  constructor(words: Int32Array, control: Int32Array) {
    this.#words = words;
    this.#control = control;
    this.#mask = words.length - 1;
  }

  get empty(): boolean {
    return Atomics.load(this.#control, RING_HEAD) === Atomics.load(this.#control, RING_TAIL);
  }

  /** Takes the oldest record out; undefined when there is none. */
  take(): RecordCursor | undefined {
    const tail = Atomics.load(this.#control, RING_TAIL);
    if (Atomics.load(this.#control, RING_HEAD) === tail) return undefined;
    const length = this.#words[tail & this.#mask]!;
    const copy = new Int32Array(length);
    for (let i = 0; i < length; i++) copy[i] = this.#words[(tail + i) & this.#mask]!;
    Atomics.store(this.#control, RING_TAIL, (tail + length) | 0);
    return new RecordCursor(copy);
  }

  /** Throws away what is there. */
  skip(): void {
    Atomics.store(this.#control, RING_TAIL, Atomics.load(this.#control, RING_HEAD));
  }
}

/** Reads a record's words in the order in which they were written. */
export class RecordCursor {
  readonly words: Int32Array;
  at = 1;

  constructor(words: Int32Array) {
    this.words = words;
  }

  word(): number {
    return this.words[this.at++]!;
  }

  number(): number {
    HALVES[0] = this.word();
    HALVES[1] = this.word();
    return SCRATCH[0]!;
  }

  skip(words: number): number {
    const at = this.at;
    this.at += words;
    return at;
  }
}
