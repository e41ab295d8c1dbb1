// What each client address has, of each frontend: connections that stand or are on their way, and how many came
// lately, as a hash table in shared memory that all threads write. It has a fixed size: sets of eight entries,
// each set behind a lock of its own, held for some 50 ns. An address is known by its Source (IPv6: its /64).
//
//   locks, a word for each set | entries [ key | address, 64 bits | connections | arrival | refusals ]
//
// The rate is a GCRA (ITU-T I.371, annex A: virtual scheduling): `arrival` is when the next connection is due
// in theory, a step (window / connections) behind the one before. It may come early by all the window but one
// step, so a whole window's worth may come at once. Who is refused owes nothing for it. With a penalty, refusals
// have such a clock of their own, of the same rate: beyond that the address is shut out.
//
// In a set without room, an address takes the place of that one which has no connection and would have been
// allowed everything again soonest. Where all eight have connections, it comes in without being counted: limits
// never turn away somebody for what others do.
//
// `!` on typed-array reads: sets are masked to their number, entries are in their sets.

import { mixWords, type Source } from "../pick/source.ts";
import type { Rate } from "./rate.ts";

/** What an address may have. */
export interface SourceLimits {
  /** Connections at a time; 0: any. */
  readonly maxConnections: number;
  /** New connections in a length of time; absent: any. */
  readonly rate?: Rate;
  /** How long an address is shut out that is refused more often than `rate` says; 0: never. */
  readonly penaltyMs: number;
}

/** What becomes of a connection. */
export const ADMITTED = 0;
/** The same, and it holds a place that must be given back. */
export const HELD = 1;
/** The address has as many connections as it may have. */
export const FULL = 2;
/** Too many came from there lately. */
export const TOO_MANY = 3;

/** Addresses that are known at a time; 4 MiB, of which the kernel gives what is touched. */
const KNOWN_SOURCES = 131_072;

const WAYS = 8;
const ENTRY_WORDS = 8;
const ENTRY_TIMES = ENTRY_WORDS / 2;

/** Words of an entry. The key is the family, a flag, the frontend's number; 0: nobody. */
const KEY = 0;
const HIGH = 1;
const LOW = 2;
const CONNECTIONS = 3;
/** Its times, in microseconds. */
const ARRIVAL = 2;
const REFUSALS = 3;

/** In KEY: it is shut out, and REFUSALS says until when. */
const SHUT_OUT = 8;
const FRONTEND_SHIFT = 4;

/** Looks at a lock before the thread sleeps. */
const SPINS = 256;
/** Then so many sleeps of a millisecond: by then whoever holds it has died. */
const MOST_SLEEPS = 100;

export class SourceTable {
  /** What engines pass to their workers. */
  readonly buffer: SharedArrayBuffer;
  readonly #sets: number;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #times: Float64Array<SharedArrayBuffer>;

  /** Looks into a table, perhaps of another thread. */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
    this.#times = new Float64Array(buffer);
    this.#sets = this.#words.length / (1 + WAYS * ENTRY_WORDS);
  }

  /** @param sources addresses there is room for: a power of two, at least 16. */
  static allocate(sources: number = KNOWN_SOURCES): SourceTable {
    const words = sources / WAYS + sources * ENTRY_WORDS;
    return new SourceTable(new SharedArrayBuffer(4 * words));
  }

  /**
   * Decides on a new connection, and counts it if it may come.
   * @param frontend its number, up to 2^27.
   * @param nowMs by a clock that never goes back, the same for all threads.
   * @returns ADMITTED, HELD, FULL or TOO_MANY.
   */
  enter(frontend: number, source: Source, limits: SourceLimits, nowMs: number): number {
    if (source.family === 0) return ADMITTED;
    const set = this.#lock(frontend, source);
    const outcome = this.#decide(set, frontend, source, limits, Math.floor(nowMs * 1000));
    this.#unlock(set);
    return outcome;
  }

  /** Counts a connection that stands already. @returns ADMITTED or HELD. */
  hold(frontend: number, source: Source): number {
    if (source.family === 0) return ADMITTED;
    const set = this.#lock(frontend, source);
    const entry = this.#entryOf(set, frontend, source);
    if (entry >= 0) this.#words[this.#wordsAt(entry) + CONNECTIONS]! += 1;
    this.#unlock(set);
    return entry < 0 ? ADMITTED : HELD;
  }

  /** Gives a place back. */
  leave(frontend: number, source: Source): void {
    const set = this.#lock(frontend, source);
    const entry = this.#find(set, frontend, source);
    if (entry >= 0) {
      const at = this.#wordsAt(entry) + CONNECTIONS;
      this.#words[at] = Math.max(0, this.#words[at]! - 1);
    }
    this.#unlock(set);
  }

  /** Forgets all that is known of a frontend, which must have no client. */
  forget(frontend: number): void {
    for (let entry = 0; entry < this.#sets * WAYS; entry++) {
      const at = this.#wordsAt(entry) + KEY;
      if (this.#words[at] === 0 || this.#words[at]! >>> FRONTEND_SHIFT !== frontend) continue;
      const set = Math.floor(entry / WAYS);
      this.#lockSet(set);
      if (this.#words[at]! >>> FRONTEND_SHIFT === frontend) this.#words[at] = 0;
      this.#unlock(set);
    }
  }

  #decide(
    set: number,
    frontend: number,
    source: Source,
    { maxConnections, rate, penaltyMs }: SourceLimits,
    now: number,
  ): number {
    const entry = this.#entryOf(set, frontend, source);
    if (entry < 0) return ADMITTED;
    const words = this.#words;
    const times = this.#times;
    const at = this.#wordsAt(entry);
    const timesAt = this.#timesAt(entry);
    if ((words[at + KEY]! & SHUT_OUT) !== 0) {
      const end = Math.min(times[timesAt + REFUSALS]!, now + 1000 * penaltyMs);
      times[timesAt + REFUSALS] = end;
      if (rate !== undefined && end > now) return TOO_MANY;
      words[at + KEY]! &= ~SHUT_OUT;
      times[timesAt + REFUSALS] = 0;
    }
    if (maxConnections > 0 && words[at + CONNECTIONS]! >= maxConnections) return FULL;
    if (rate !== undefined) {
      const step = Math.floor(1000 * rate.windowMs / rate.connections);
      const window = step * rate.connections;
      const due = dueAt(times[timesAt + ARRIVAL]!, now, window);
      times[timesAt + ARRIVAL] = due;
      if (due - now > window - step) {
        if (penaltyMs === 0) return TOO_MANY;
        const refusals = dueAt(times[timesAt + REFUSALS]!, now, window) + step;
        const goesOn = refusals - now > window;
        if (goesOn) words[at + KEY]! |= SHUT_OUT;
        times[timesAt + REFUSALS] = goesOn ? now + 1000 * penaltyMs : refusals;
        return TOO_MANY;
      }
      times[timesAt + ARRIVAL] = due + step;
    }
    if (maxConnections === 0) return ADMITTED;
    words[at + CONNECTIONS]! += 1;
    return HELD;
  }

  /** The source's entry, made if there is room; -1 when there is none. The set is locked. */
  #entryOf(set: number, frontend: number, source: Source): number {
    const own = this.#find(set, frontend, source);
    if (own >= 0) return own;
    const words = this.#words;
    const times = this.#times;
    let chosen = -1;
    let first = Infinity;
    for (let entry = set * WAYS; entry < (set + 1) * WAYS; entry++) {
      const at = this.#wordsAt(entry);
      const isFree = words[at + KEY] === 0;
      if (!isFree && words[at + CONNECTIONS]! > 0) continue;
      const timesAt = this.#timesAt(entry);
      const until = isFree ? -1 : Math.max(times[timesAt + ARRIVAL]!, times[timesAt + REFUSALS]!);
      if (until >= first) continue;
      chosen = entry;
      first = until;
    }
    if (chosen < 0) return -1;
    const at = this.#wordsAt(chosen);
    words[at + KEY] = keyOf(frontend, source);
    words[at + HIGH] = source.high;
    words[at + LOW] = source.low;
    words[at + CONNECTIONS] = 0;
    times[this.#timesAt(chosen) + ARRIVAL] = 0;
    times[this.#timesAt(chosen) + REFUSALS] = 0;
    return chosen;
  }

  #find(set: number, frontend: number, source: Source): number {
    const words = this.#words;
    const key = keyOf(frontend, source);
    for (let entry = set * WAYS; entry < (set + 1) * WAYS; entry++) {
      const at = this.#wordsAt(entry);
      const isOwn = (words[at + KEY]! & ~SHUT_OUT) === key && words[at + LOW] === source.low &&
        words[at + HIGH] === source.high;
      if (isOwn) return entry;
    }
    return -1;
  }

  #wordsAt(entry: number): number {
    return this.#sets + entry * ENTRY_WORDS;
  }

  #timesAt(entry: number): number {
    return this.#sets / 2 + entry * ENTRY_TIMES;
  }

  /** Locks the set in which the source is, if it is known. @returns its number. */
  #lock(frontend: number, source: Source): number {
    const set = mixWords(source.hash, frontend) & (this.#sets - 1);
    this.#lockSet(set);
    return set;
  }

  #lockSet(set: number): void {
    const words = this.#words;
    for (let look = 0; look < SPINS; look++) {
      if (Atomics.compareExchange(words, set, 0, 1) === 0) return;
    }
    // Whoever holds it has lost its CPU.
    for (let sleep = 0; sleep < MOST_SLEEPS; sleep++) {
      Atomics.wait(words, set, 1, 1);
      if (Atomics.compareExchange(words, set, 0, 1) === 0) return;
    }
    Atomics.store(words, set, 1);
  }

  #unlock(set: number): void {
    Atomics.store(this.#words, set, 0);
  }
}

function keyOf(frontend: number, { family }: Source): number {
  return family | frontend << FRONTEND_SHIFT;
}

/**
 * A theoretical arrival that has not passed, and is no further away than the rate allows: a reload may have
 * raised that since.
 */
function dueAt(arrival: number, now: number, window: number): number {
  return Math.max(now, Math.min(arrival, now + window));
}
