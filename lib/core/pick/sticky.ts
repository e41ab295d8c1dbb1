// Who was where, and who is: clients that are to come back to their backend, as a hash table in shared
// memory behind the rows of a PickTable. Open addressing within a short window. Writers of an entry lock
// it; readers wait for none of them but one that puts another client or backend into it, and then see a
// whole entry or none. A race that is lost costs no more than that one client is placed by the strategy,
// or is known for too short or too long.
//
//   entry  [ sequence | family | key, 64 bits | row | identity of the backend | expires | sessions ]
//
// While sessions of a client stand on its backend, the client does not expire. The count of them can lose
// a session's end (a thread that dies at that instant, a writer that is preempted), so it is not trusted
// for ever: without a login or an end for STANDING_SECONDS it counts no more.
//
// `!` on typed-array reads: places are masked to the number of entries.

import { NO_ROW } from "./choice.ts";
import {
  CLOCK,
  HEADER_WORDS,
  IDENTITY,
  type PickTable,
  ROW_WORDS,
  STICKY_ENTRIES,
  STICKY_SECONDS,
  STICKY_WORDS,
} from "./pick_table.ts";
import type { Source } from "./source.ts";

/**
 * Clients that are remembered of a pool; beyond it, those that have been away longest are forgotten, and
 * those with sessions only where there is nobody else.
 */
export const STICKY_CLIENTS = 65_536;
/** How long a client whose sessions stand is known without a login or an end, at least. */
export const STANDING_SECONDS = 30 * 86_400;
/** Entries that are looked at for one client. */
const WINDOW = 8;
/** How often an entry that another thread writes is looked at again: writing takes it a few stores. */
const RACES = 256;
/** Puts clients whose sessions stand behind all others in the order of being forgotten. */
const BEHIND = 2 ** 32;

/** Grows with every write; bit 0: locked, bit 1: who is where is being changed. */
const SEQUENCE = 0;
const FAMILY = 1;
const HIGH = 2;
const LOW = 3;
const ROW = 4;
const BACKEND = 5;
/** Second of CLOCK from which on the entry counts no more unless sessions stand; 0 in an empty one. */
const EXPIRES = 6;
/** The client's sessions on that backend that have not ended. */
const SESSIONS = 7;

const LOCKED = 1;
const CHANGING = 2;
const NEXT = 4;

/** The row of the backend where the client was, -1 when it is not known, or another stands there now. */
export function recall(table: PickTable, source: Source): number {
  const words = table.words;
  if (source.family === 0) return NO_ROW;
  const entries = words[STICKY_ENTRIES]!;
  const clock = Atomics.load(words, CLOCK);
  for (let i = 0; i < Math.min(WINDOW, entries); i++) {
    const at = placeOf(table, source, i);
    for (let race = 0; race < RACES; race++) {
      const sequence = Atomics.load(words, at + SEQUENCE);
      if ((sequence & CHANGING) !== 0) continue;
      const isOwn = isOf(words, at, source);
      const row = Atomics.load(words, at + ROW);
      const backend = Atomics.load(words, at + BACKEND);
      const until = lastsUntil(words, at);
      // The end of a session locks the entry, too, just when its client may come again: that is no race.
      if ((Atomics.load(words, at + SEQUENCE) | LOCKED) !== (sequence | LOCKED)) continue;
      if (!isOwn) break;
      if (until <= clock || row >= table.rows) return NO_ROW;
      return words[HEADER_WORDS + row * ROW_WORDS + IDENTITY] === backend ? row : NO_ROW;
    }
  }
  return NO_ROW;
}

/**
 * A session of the client stands on that row's backend: keeps the client, in place of whoever has been
 * away longest.
 */
export function remember(table: PickTable, source: Source, row: number): void {
  const words = table.words;
  const entries = words[STICKY_ENTRIES]!;
  if (source.family === 0 || entries === 0) return;
  const clock = Atomics.load(words, CLOCK);
  for (let race = 1; race <= RACES; race++) {
    let chosen = -1;
    let chosenSequence = 0;
    let isOwn = false;
    let isBusy = false;
    let first = Infinity;
    for (let i = 0; i < Math.min(WINDOW, entries); i++) {
      const at = placeOf(table, source, i);
      const sequence = Atomics.load(words, at + SEQUENCE);
      if ((sequence & LOCKED) !== 0) {
        // One that a thread died over stays as it is.
        isBusy ||= isOf(words, at, source);
        continue;
      }
      if (isOf(words, at, source)) {
        isOwn = true;
        chosen = at;
        chosenSequence = sequence;
        break;
      }
      const until = lastsUntil(words, at);
      const isHeld = until > clock && Atomics.load(words, at + SESSIONS) > 0;
      const rank = isHeld ? until + BEHIND : until;
      if (rank >= first) continue;
      chosen = at;
      chosenSequence = sequence;
      first = rank;
    }
    // A second entry for the client is for when the first is lost.
    if (isBusy && !isOwn && race < RACES) continue;
    if (chosen === -1) return;
    if (!lock(words, chosen, chosenSequence)) continue;
    const backend = words[HEADER_WORDS + row * ROW_WORDS + IDENTITY]!;
    // Its sessions elsewhere count no more: it is here now.
    const isThere = isOwn && isAt(words, chosen, row, backend) && lastsUntil(words, chosen) > clock;
    const sessions = isThere ? Atomics.load(words, chosen + SESSIONS) + 1 : 1;
    if (!isThere) Atomics.or(words, chosen + SEQUENCE, CHANGING);
    Atomics.store(words, chosen + FAMILY, source.family);
    Atomics.store(words, chosen + HIGH, source.high);
    Atomics.store(words, chosen + LOW, source.low);
    Atomics.store(words, chosen + ROW, row);
    Atomics.store(words, chosen + BACKEND, backend);
    Atomics.store(words, chosen + EXPIRES, clock + words[STICKY_SECONDS]!);
    Atomics.store(words, chosen + SESSIONS, sessions);
    unlock(words, chosen, chosenSequence);
    return;
  }
}

/**
 * A session of the client has ended there. If the client has been nowhere else since, it has one session
 * less, and its time begins anew.
 */
export function renew(table: PickTable, source: Source, row: number): void {
  const words = table.words;
  if (source.family === 0) return;
  const entries = words[STICKY_ENTRIES]!;
  const backend = words[HEADER_WORDS + row * ROW_WORDS + IDENTITY]!;
  for (let race = 0; race < RACES; race++) {
    let own = -1;
    let sequence = 0;
    let isBusy = false;
    for (let i = 0; i < Math.min(WINDOW, entries) && own === -1; i++) {
      const at = placeOf(table, source, i);
      sequence = Atomics.load(words, at + SEQUENCE);
      if (!isOf(words, at, source)) continue;
      if ((sequence & LOCKED) === 0) own = at;
      else isBusy = true;
    }
    if (own === -1) {
      if (isBusy) continue;
      return;
    }
    if (!lock(words, own, sequence)) continue;
    // A session may outlast its time. What matters is that the client was seen nowhere else.
    if (isAt(words, own, row, backend)) {
      // Of a client that was forgotten meanwhile, earlier sessions were never counted here.
      const sessions = Math.max(0, Atomics.load(words, own + SESSIONS) - 1);
      const expires = Atomics.load(words, CLOCK) + words[STICKY_SECONDS]!;
      // In the other order than lastsUntil reads: without a session, the time is the new one.
      Atomics.store(words, own + EXPIRES, expires);
      Atomics.store(words, own + SESSIONS, sessions);
    }
    unlock(words, own, sequence);
    return;
  }
}

/** Forgets everybody. For when clients stick no more: from then on nobody counts their sessions. */
export function forgetAll(table: PickTable): void {
  const words = table.words;
  const end = words[STICKY_ENTRIES]!;
  for (let entry = 0; entry < end; entry++) {
    const at = entryAt(table, entry);
    const sequence = Atomics.load(words, at + SEQUENCE);
    if (Atomics.load(words, at + FAMILY) === 0 || (sequence & LOCKED) !== 0) continue;
    if (!lock(words, at, sequence)) continue;
    Atomics.or(words, at + SEQUENCE, CHANGING);
    for (let word = FAMILY; word < STICKY_WORDS; word++) Atomics.store(words, at + word, 0);
    unlock(words, at, sequence);
  }
}

/** Makes the entry this thread's to write, unless it has changed since its sequence number was read. */
function lock(words: Int32Array, at: number, sequence: number): boolean {
  return Atomics.compareExchange(words, at + SEQUENCE, sequence, sequence | LOCKED) === sequence;
}

function unlock(words: Int32Array, at: number, sequence: number): void {
  Atomics.store(words, at + SEQUENCE, (sequence + NEXT) | 0);
}

/** The second of CLOCK from which on the entry counts no more. */
function lastsUntil(words: Int32Array, at: number): number {
  const isStanding = Atomics.load(words, at + SESSIONS) !== 0;
  const expires = Atomics.load(words, at + EXPIRES);
  if (!isStanding) return expires;
  return expires + Math.max(0, STANDING_SECONDS - words[STICKY_SECONDS]!);
}

function isAt(words: Int32Array, at: number, row: number, backend: number): boolean {
  return Atomics.load(words, at + ROW) === row && Atomics.load(words, at + BACKEND) === backend;
}

/** Where the n-th entry of a client's window begins. */
function placeOf(table: PickTable, source: Source, n: number): number {
  return entryAt(table, (source.hash + n) & (table.words[STICKY_ENTRIES]! - 1));
}

function entryAt(table: PickTable, entry: number): number {
  return HEADER_WORDS + table.capacity * ROW_WORDS + entry * STICKY_WORDS;
}

function isOf(words: Int32Array, at: number, source: Source): boolean {
  return Atomics.load(words, at + LOW) === source.low &&
    Atomics.load(words, at + HIGH) === source.high &&
    Atomics.load(words, at + FAMILY) === source.family;
}
