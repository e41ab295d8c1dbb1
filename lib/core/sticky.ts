// Who was where: clients that are to come back to their backend, as a hash table in shared memory behind
// the rows of a PickTable. Open addressing within a short window; every entry has a sequence number that
// is odd while it is written, so a reader sees a whole entry or none. A race that is lost costs no more
// than that one client is placed by the strategy.
//
//   entry  [ sequence | family | key, 64 bits | row | identity of the backend | expires | - ]
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
import type { Source } from "./source_hash.ts";

/** Clients that are remembered of a pool; beyond it, those that have been away longest are forgotten. */
export const STICKY_CLIENTS = 65_536;
/** Entries that are looked at for one client. */
const WINDOW = 8;

const SEQUENCE = 0;
const FAMILY = 1;
const HIGH = 2;
const LOW = 3;
const ROW = 4;
const BACKEND = 5;
/** Second of CLOCK from which on the entry counts no more; 0 in an empty one. */
const EXPIRES = 6;

/** The row of the backend where the client was, -1 when it is not known, or another stands there now. */
export function recall(table: PickTable, source: Source): number {
  const words = table.words;
  if (source.family === 0) return NO_ROW;
  const entries = words[STICKY_ENTRIES]!;
  const clock = Atomics.load(words, CLOCK);
  for (let i = 0; i < Math.min(WINDOW, entries); i++) {
    const at = placeOf(table, source, i);
    const sequence = Atomics.load(words, at + SEQUENCE);
    if ((sequence & 1) !== 0 || !isOf(words, at, source)) continue;
    const row = Atomics.load(words, at + ROW);
    const backend = Atomics.load(words, at + BACKEND);
    const expires = Atomics.load(words, at + EXPIRES);
    if (Atomics.load(words, at + SEQUENCE) !== sequence) return NO_ROW;
    if (expires <= clock || row >= table.rows) return NO_ROW;
    return words[HEADER_WORDS + row * ROW_WORDS + IDENTITY] === backend ? row : NO_ROW;
  }
  return NO_ROW;
}

/** The client is on that row's backend now: keeps it, in place of whoever has been away longest. */
export function remember(table: PickTable, source: Source, row: number): void {
  const words = table.words;
  const entries = words[STICKY_ENTRIES]!;
  if (source.family === 0 || entries === 0) return;
  let chosen = -1;
  let chosenSequence = 0;
  let oldest = Infinity;
  for (let i = 0; i < Math.min(WINDOW, entries); i++) {
    const at = placeOf(table, source, i);
    const sequence = Atomics.load(words, at + SEQUENCE);
    // One that a thread died over stays as it is.
    if ((sequence & 1) !== 0) continue;
    const isOwn = isOf(words, at, source);
    const expires = isOwn ? -1 : Atomics.load(words, at + EXPIRES);
    if (expires >= oldest) continue;
    chosen = at;
    chosenSequence = sequence;
    oldest = expires;
    if (isOwn) break;
  }
  if (chosen === -1) return;
  const writing = chosenSequence | 1;
  if (Atomics.compareExchange(words, chosen, chosenSequence, writing) !== chosenSequence) return;
  Atomics.store(words, chosen + FAMILY, source.family);
  Atomics.store(words, chosen + HIGH, source.high);
  Atomics.store(words, chosen + LOW, source.low);
  Atomics.store(words, chosen + ROW, row);
  Atomics.store(words, chosen + BACKEND, words[HEADER_WORDS + row * ROW_WORDS + IDENTITY]!);
  Atomics.store(words, chosen + EXPIRES, Atomics.load(words, CLOCK) + words[STICKY_SECONDS]!);
  Atomics.store(words, chosen + SEQUENCE, (chosenSequence + 2) | 0);
}

/** A session of the client has ended there; if it has been nowhere else since, its time begins anew. */
export function renew(table: PickTable, source: Source, row: number): void {
  const words = table.words;
  if (source.family === 0) return;
  const entries = words[STICKY_ENTRIES]!;
  for (let i = 0; i < Math.min(WINDOW, entries); i++) {
    const at = placeOf(table, source, i);
    const sequence = Atomics.load(words, at + SEQUENCE);
    if ((sequence & 1) !== 0 || !isOf(words, at, source)) continue;
    // A session may outlast its time. What matters is that the client was seen nowhere else.
    if (Atomics.load(words, at + ROW) === row) remember(table, source, row);
    return;
  }
}

/** Where the n-th entry of a client's window begins. */
function placeOf(table: PickTable, source: Source, n: number): number {
  const entry = (source.hash + n) & (table.words[STICKY_ENTRIES]! - 1);
  return HEADER_WORDS + table.capacity * ROW_WORDS + entry * STICKY_WORDS;
}

function isOf(words: Int32Array, at: number, source: Source): boolean {
  return Atomics.load(words, at + LOW) === source.low &&
    Atomics.load(words, at + HIGH) === source.high &&
    Atomics.load(words, at + FAMILY) === source.family;
}
