// The PickTable: what a kernel needs to choose a backend, as 32-bit words in shared memory. The control
// plane writes a row when health, load or membership changes; the engine counts tunnels in it; kernels
// read it per connection. Every word stands alone, so no lock is needed: a kernel that reads while a row
// is written sees an old or a new number, never a torn one.
//
//   header  [ kernel | rows | cursor | capacity | nearly equal | weighted | virtual time | balance |
//             sticky entries | sticky time | clock | pace limit | step | long step | burst free |
//             burst line | new logins | step ms | pace given up | table id | queue entries | queue head |
//             queue tail | queued | queued total | queue timeouts | token head | token tail |
//             tokens discarded | starved | … ]
//   row     [ eligible | free milli-cores | active | total | max connections | new before | cost |
//             base active | scale above | scale below | weight | pass | identity | order | fresh |
//             young before | standing | connect failures | young ring | new ring ]
//   entry   of the clients that are to come back (core/pick/sticky.ts), as many as the header says
//   token   for the clients of a pool that is fed (core/pick/tokens.ts), as many as may wait
//   ticket  of the clients that wait for a place (core/dial/pool_queue.ts), one word each
//
// Free cores go down with every pick, at that instant and for all workers, without a word more to
// write: what stands in a row was true when BASE_ACTIVE tunnels stood, and each tunnel more takes COST.
// A tunnel that ends gives its cost back by leaving ACTIVE.
//
// A row belongs to one backend from the moment it joins until its last tunnel has ended.

/** Rows a table has room for unless told otherwise. */
export const DEFAULT_CAPACITY = 1024;

/** Two cache lines: what every pick changes is in the second. */
export const HEADER_WORDS = 32;
/** Two cache lines: kernels read the first alone. */
export const ROW_WORDS = 32;
export const STICKY_WORDS = 8;
/** Words of a token. */
export const TOKEN_WORDS = 2;
/** How many tokens wait at most (tokens.ts): so many may be stale when a list changes. A power of two. */
export const MOST_TOKENS = 16;

/** Header words. */
export const KERNEL = 0;
export const ROWS = 1;
export const CURSOR = 2;
/** Rows there is room for. */
export const CAPACITY = 3;
/** Scores so near to the best are as good (`most_free`); in the unit of scores, 0: none are. */
export const NEARLY_EQUAL = 4;
/** 1: the weights of eligible backends differ; 0: kernels need not look at them. */
export const WEIGHTED = 5;
/** Where `rotation` stands, in the unit of PASS; it wraps around. */
export const VIRTUAL_TIME = 6;
/** How much of its share a backend may hold before `source_hash` passes it over, percent; 0: any. */
export const HASH_BALANCE = 7;
/** Entries of core/pick/sticky.ts behind the rows; a power of two, or 0. */
export const STICKY_ENTRIES = 8;
/** How many seconds a client stays with its backend; 0: clients do not stick. */
export const STICKY_SECONDS = 9;
/** Seconds on the control plane's clock, which writes them; kernels have no other. */
export const CLOCK = 10;
/** Young connections that a backend has before others go first (pacing.ts); 0: any. */
export const PACE_LIMIT = 11;
/** Numbers the steps in which time passes for young connections (young.ts); the control plane counts. */
export const STEP = 12;
/** How many steps make a long one: at least 1. */
export const LONG_STEP = 13;
/** Milli-cores free on all backends, among which a burst of logins is dealt out; 0: none is. */
export const BURST_FREE = 14;
/** More new logins than this, in thousandths, are a burst (burst_charge.ts). */
export const BURST_LINE = 15;
/** New logins on all backends (young.ts). */
export const NEW_LOGINS = 16;
/** How long a step is, in milliseconds; 0: time does not pass. */
export const STEP_MS = 17;
/** 1: clients have waited in vain for backends that stand back; nobody waits for one again in this burst. */
export const PACE_GIVEN_UP = 18;
/** Tells tables apart, whichever thread looks: another one for each table that is allocated. */
export const TABLE_ID = 19;
/** Words of the queue behind the other parts (core/dial/pool_queue.ts): a power of two, or 0. */
export const QUEUE_ENTRIES = 20;
/** The lowest ticket that may still wait, and the next that is given. */
export const QUEUE_HEAD = 21;
export const QUEUE_TAIL = 22;
/** Clients that wait for a place. */
export const QUEUED = 23;
/** Those that ever did, and those of them whose time was over before there was a place; both wrap around. */
export const QUEUED_TOTAL = 24;
export const QUEUE_TIMEOUTS = 25;
/** The next token that is taken, and the next that is put (tokens.ts); both wrap around, as what follows. */
export const TOKEN_HEAD = 26;
export const TOKEN_TAIL = 27;
/** Tokens that were of no use, and clients that were turned away for want of one. */
export const TOKENS_DISCARDED = 28;
export const TOKENS_STARVED = 29;

/** Row words. */
/**
 * Whether connections may go there: 0: none; ALWAYS: any; a higher number: those that no row with a lower
 * one can take, because they are full or were tried in vain.
 */
export const ELIGIBLE = 0;
export const FREE_MILLI_CORES = 1;
export const ACTIVE = 2;
export const TOTAL = 3;
export const MAX_CONNECTIONS = 4;
/** New logins of the long steps before (young.ts): connections that stand and are not in FRESH. */
export const NEW_BEFORE = 5;
/** Milli-cores that a tunnel is expected to take; 0 when nobody knows. */
export const COST_MILLI_CORES = 6;
/** Tunnels that stood when FREE_MILLI_CORES was worked out. */
export const BASE_ACTIVE = 7;
/** `most_free` compares free milli-cores × this / SCALE_UNIT where some are free; 0 stands for the unit. */
export const SCALE_ABOVE = 8;
/** The same where none is free (the number is negative). */
export const SCALE_BELOW = 9;
/** The backend's share beside others in thousandths; 0 stands for 1000. */
export const WEIGHT = 10;
/** Where the backend stands in `rotation`'s virtual time: each pick moves it on by 1 / weight. */
export const PASS = 11;
/** Tells backends apart: a hash of the id, written when the row is claimed. */
export const IDENTITY = 12;
/** The backend's place in the order of the configuration, which `first` goes by. */
export const ORDER = 13;
/** Connections that stand and took their place in the step that goes on. */
export const FRESH = 14;
/** Those that took it in the steps before, as far as they are young (young.ts). */
export const YOUNG_BEFORE = 15;
/** Why a row is not eligible: a number of STANDINGS (standing.ts). For explanations; kernels do not read it. */
export const STANDING = 16;
export const CONNECT_FAILURES = 17;
/** What YOUNG_BEFORE is the sum of: a word for each step, which comes round again. */
export const YOUNG_RING = 18;
export const YOUNG_STEPS = 8;
/** What NEW_BEFORE is the sum of: a word for each long step. */
export const NEW_RING = 26;
export const NEW_STEPS = 6;

/** ELIGIBLE of a row that takes part in every pick. */
export const ALWAYS = 1;
/** ELIGIBLE of backups: the better ones, and those that are asked last. */
export const BACKUP = 2;
export const BACKUP_LAST = 3;

export const SCALE_UNIT = 1_000_000;
/** WEIGHT of a backend that weighs 1. */
export const WEIGHT_UNIT = 1000;

/** Free milli-cores of a backend whose load nobody knows. */
export const UNKNOWN_FREE = -0x8000_0000;

/** What a table is, whatever stands in it. */
const KEPT: ReadonlySet<number> = new Set([CAPACITY, STICKY_ENTRIES, QUEUE_ENTRIES, TABLE_ID]);

let lastId = 0;

export class PickTable {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly capacity: number;

  /** Wraps shared memory that another thread made with {@linkcode PickTable.allocate}. */
  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer);
    this.capacity = Atomics.load(this.words, CAPACITY);
  }

  /**
   * Makes an empty table with room for `capacity` backends.
   * @param stickyEntries how many clients can be known again: a power of two, or 0. The kernel gives
   * memory only to those that come.
   * @param queueEntries how long the queue for a place can be: a power of two, or 0.
   */
  static allocate(
    capacity: number = DEFAULT_CAPACITY,
    stickyEntries: number = 0,
    queueEntries: number = 0,
  ): PickTable {
    const length = HEADER_WORDS + capacity * ROW_WORDS + stickyEntries * STICKY_WORDS +
      MOST_TOKENS * TOKEN_WORDS + queueEntries;
    const words = new Int32Array(
      new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT),
    );
    words[CAPACITY] = capacity;
    words[STICKY_ENTRIES] = stickyEntries;
    words[QUEUE_ENTRIES] = queueEntries;
    words[TABLE_ID] = ++lastId;
    words[CURSOR] = -1;
    words[LONG_STEP] = 1;
    return new PickTable(words.buffer);
  }

  /** Makes the table as empty as {@linkcode PickTable.allocate} made it. No other thread may use it. */
  clear(): void {
    const { words } = this;
    for (let at = 0; at < words.length; at++) {
      if (KEPT.has(at)) continue;
      // Memory that was never written to is not to be touched.
      if (words[at] !== 0) words[at] = 0;
    }
    words[CURSOR] = -1;
    words[LONG_STEP] = 1;
  }

  get buffer(): SharedArrayBuffer {
    return this.words.buffer;
  }

  /** The number of the kernel that picks (kernels/registry.ts). */
  get kernel(): number {
    return Atomics.load(this.words, KERNEL);
  }

  set kernel(number: number) {
    Atomics.store(this.words, KERNEL, number);
  }

  /** The same for every thread's view of the same memory, and for no other table. */
  get id(): number {
    // `!`: this word is in the header.
    return this.words[TABLE_ID]!;
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
   * @param identity a hash of what the backend is called (core/pick/source.ts).
   * @throws {RangeError} when the table is full.
   */
  claim(taken: ReadonlySet<number>, identity = 0): number {
    for (let row = 0; row < this.capacity; row++) {
      if (taken.has(row)) continue;
      this.#forgetNewLogins(row);
      this.words.fill(0, HEADER_WORDS + row * ROW_WORDS, HEADER_WORDS + (row + 1) * ROW_WORDS);
      this.write(row, FREE_MILLI_CORES, UNKNOWN_FREE);
      this.write(row, IDENTITY, identity);
      // A backend that joins has missed nothing: it begins where the others are.
      this.write(row, PASS, Atomics.load(this.words, VIRTUAL_TIME));
      if (row >= this.rows) Atomics.store(this.words, ROWS, row + 1);
      return row;
    }
    throw new RangeError(`Cannot add a backend: the pool holds ${this.capacity} already`);
  }

  /** A thread that counted in the row just as a step ended may have left something there. */
  #forgetNewLogins(row: number): void {
    const left = this.read(row, FRESH) + this.read(row, NEW_BEFORE);
    Atomics.sub(this.words, NEW_LOGINS, left);
  }
}

/** Free milli-cores of the row that begins at word `at`, at this instant. */
export function freeNow(words: Int32Array, at: number): number {
  // `!`: `at` is the start of a row of this table.
  const free = words[at + FREE_MILLI_CORES]!;
  if (free === UNKNOWN_FREE) return UNKNOWN_FREE;
  return free - words[at + COST_MILLI_CORES]! * (words[at + ACTIVE]! - words[at + BASE_ACTIVE]!);
}
