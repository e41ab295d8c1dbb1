// The PickTable: what a kernel needs to choose a backend, as 32-bit words in shared memory. The control
// plane writes a row when health, load or membership changes; the engine counts tunnels in it; kernels
// read it per connection. Every word stands alone, so no lock is needed: a kernel that reads while a row
// is written sees an old or a new number, never a torn one.
//
//   header  [ kernel | rows | cursor | … ]
//   row     [ eligible | free milli-cores | active | total | max connections | connect failures |
//             cost | base active | scale above | scale below | … | standing ]
//
// Free cores go down with every pick, at that instant and for all workers, without a word more to
// write: what stands in a row was true when BASE_ACTIVE tunnels stood, and each tunnel more takes COST.
// A tunnel that ends gives its cost back by leaving ACTIVE.
//
// A row belongs to one backend from the moment it joins until its last tunnel has ended.

/** How a connection is given a backend; the number stands in the table's header. */
export type PickKernel = "rotation" | "most_free" | "least_connections" | "random";

/** Kernels by the number that stands in the table. */
export const KERNELS: readonly PickKernel[] = [
  "rotation",
  "most_free",
  "least_connections",
  "random",
];

/** Rows a table has room for unless told otherwise. */
export const DEFAULT_CAPACITY = 1024;

export const HEADER_WORDS = 16;
export const ROW_WORDS = 16;

/** Header words. */
export const KERNEL = 0;
export const ROWS = 1;
export const CURSOR = 2;
/** Scores so near to the best are as good (`most_free`); in the unit of scores, 0: none are. */
export const NEARLY_EQUAL = 4;

/** Row words. */
export const ELIGIBLE = 0;
export const FREE_MILLI_CORES = 1;
export const ACTIVE = 2;
export const TOTAL = 3;
export const MAX_CONNECTIONS = 4;
export const CONNECT_FAILURES = 5;
/** Milli-cores that a tunnel is expected to take; 0 when nobody knows. */
export const COST_MILLI_CORES = 6;
/** Tunnels that stood when FREE_MILLI_CORES was worked out. */
export const BASE_ACTIVE = 7;
/** `most_free` compares free milli-cores × this / 1000 where some are free; 0 stands for 1000. */
export const SCALE_ABOVE = 8;
/** The same where none is free (the number is negative); 0 stands for 1000. */
export const SCALE_BELOW = 9;
/** Why a row is not eligible: a number of STANDINGS (standing.ts). For explanations; kernels do not read it. */
export const STANDING = ROW_WORDS - 1;

/** Free milli-cores of a backend whose load nobody knows. */
export const UNKNOWN_FREE = -0x8000_0000;

export class PickTable {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly capacity: number;

  /** Wraps shared memory that another thread made with {@linkcode PickTable.allocate}. */
  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer);
    this.capacity = Math.floor((this.words.length - HEADER_WORDS) / ROW_WORDS);
  }

  /** Makes an empty table with room for `capacity` backends. */
  static allocate(capacity: number = DEFAULT_CAPACITY): PickTable {
    const table = new PickTable(
      new SharedArrayBuffer((HEADER_WORDS + capacity * ROW_WORDS) * Int32Array.BYTES_PER_ELEMENT),
    );
    table.words[CURSOR] = -1;
    return table;
  }

  get buffer(): SharedArrayBuffer {
    return this.words.buffer;
  }

  get kernel(): PickKernel {
    return KERNELS[Atomics.load(this.words, KERNEL)] ?? "rotation";
  }

  set kernel(kernel: PickKernel) {
    Atomics.store(this.words, KERNEL, KERNELS.indexOf(kernel));
  }

  /** Rows in use, gaps included. */
  get rows(): number {
    return Atomics.load(this.words, ROWS);
  }

  /** Reads one word of a backend's row. */
  read(row: number, word: number): number {
    return Atomics.load(this.words, HEADER_WORDS + row * ROW_WORDS + word);
  }

  /** Writes one word of a backend's row; `value` is clamped to 32 bits. */
  write(row: number, word: number, value: number): void {
    const clamped = Math.max(-0x8000_0000, Math.min(0x7fff_ffff, Math.round(value)));
    Atomics.store(this.words, HEADER_WORDS + row * ROW_WORDS + word, clamped);
  }

  /** Adds to one word of a backend's row and returns the new value. */
  add(row: number, word: number, value: number): number {
    return Atomics.add(this.words, HEADER_WORDS + row * ROW_WORDS + word, value) + value;
  }

  /**
   * Free milli-cores at this instant: what was published, less the expected cost of every tunnel made
   * since, plus that of every tunnel that has ended. UNKNOWN_FREE when nobody knows.
   */
  freeMilliCores(row: number): number {
    return freeNow(this.words, HEADER_WORDS + row * ROW_WORDS);
  }

  /**
   * Gives a row to a backend that joins, zeroed and not eligible: the lowest free one.
   * @throws {RangeError} when the table is full.
   */
  claim(taken: ReadonlySet<number>): number {
    for (let row = 0; row < this.capacity; row++) {
      if (taken.has(row)) continue;
      this.words.fill(0, HEADER_WORDS + row * ROW_WORDS, HEADER_WORDS + (row + 1) * ROW_WORDS);
      this.write(row, FREE_MILLI_CORES, UNKNOWN_FREE);
      if (row >= this.rows) Atomics.store(this.words, ROWS, row + 1);
      return row;
    }
    throw new RangeError(`Cannot add a backend: the pool holds ${this.capacity} already`);
  }
}

/** Free milli-cores of the row that begins at word `at`, at this instant. */
export function freeNow(words: Int32Array, at: number): number {
  // `!`: `at` is the start of a row of this table.
  const free = words[at + FREE_MILLI_CORES]!;
  if (free === UNKNOWN_FREE) return UNKNOWN_FREE;
  return free - words[at + COST_MILLI_CORES]! * (words[at + ACTIVE]! - words[at + BASE_ACTIVE]!);
}
