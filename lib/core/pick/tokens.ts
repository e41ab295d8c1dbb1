// The tokens of a pool that is fed: each names the backend of one client, and somebody else has chosen it
// (app/feeds.ts). A ring of words in the PickTable: the control plane puts, threads that pick take.
//
//   token  [ row | identity ]    whose row has been given to another backend is nobody's
//
// The head moves by compare and exchange alone, so each token is taken once; a slot is written again only when
// the head has passed it, so what a thread has read of a slot is whole if the head still stood there.
//
// `!` on typed-array reads: these words are in the header, the ring, or a row of the table.

import { NO_ROW } from "./choice.ts";
import {
  CAPACITY,
  HEADER_WORDS,
  IDENTITY,
  KERNEL,
  MOST_TOKENS,
  type PickTable,
  ROW_WORDS,
  STICKY_ENTRIES,
  STICKY_WORDS,
  TOKEN_HEAD,
  TOKEN_TAIL,
  TOKEN_WORDS,
  TOKENS_DISCARDED,
  TOKENS_STARVED,
} from "./pick_table.ts";

/** With so few left, whoever feeds is woken. */
const FEW = MOST_TOKENS / 2;
/** Instead of a row: the backend that the token named has left. */
const LEFT_ROW = -2;

/** The number of the kernel that takes tokens (kernels/token.ts). */
export const TOKEN_KERNEL = 7;

/** Whether the pool's clients go by tokens. */
export function isFed(table: PickTable): boolean {
  return Atomics.load(table.words, KERNEL) === TOKEN_KERNEL;
}

/** Tokens that wait. */
export function tokensIn({ words }: PickTable): number {
  return Atomics.load(words, TOKEN_TAIL) - Atomics.load(words, TOKEN_HEAD) | 0;
}

/** Puts a token for the backend of a row behind the others. For one thread. @returns false: there is no room. */
export function putToken(table: PickTable, row: number): boolean {
  const { words } = table;
  if (tokensIn(table) >= MOST_TOKENS) return false;
  const tail = words[TOKEN_TAIL]!;
  const at = placeOf(words, tail);
  Atomics.store(words, at, row);
  Atomics.store(words, at + 1, table.read(row, IDENTITY));
  Atomics.store(words, TOKEN_TAIL, tail + 1 | 0);
  return true;
}

/** Takes the next token. @returns its row; LEFT_ROW; NO_ROW when there is none. */
export function takeToken(words: Int32Array): number {
  for (;;) {
    const head = Atomics.load(words, TOKEN_HEAD);
    const left = Atomics.load(words, TOKEN_TAIL) - head | 0;
    if (left <= 0) return NO_ROW;
    const at = placeOf(words, head);
    const row = Atomics.load(words, at);
    const identity = Atomics.load(words, at + 1);
    if (Atomics.compareExchange(words, TOKEN_HEAD, head, head + 1 | 0) !== head) continue;
    if (left - 1 <= FEW) Atomics.notify(words, TOKEN_HEAD);
    return words[HEADER_WORDS + row * ROW_WORDS + IDENTITY] === identity ? row : LEFT_ROW;
  }
}

/** Takes all tokens that wait; for the thread that puts. @returns the head as it was. */
export function takeAllTokens({ words }: PickTable): number {
  const tail = Atomics.load(words, TOKEN_TAIL);
  for (;;) {
    const head = Atomics.load(words, TOKEN_HEAD);
    if (Atomics.compareExchange(words, TOKEN_HEAD, head, tail) === head) return head;
  }
}

/** Counts tokens that were of no use. */
export function discardTokens(words: Int32Array, count: number): void {
  Atomics.add(words, TOKENS_DISCARDED, count);
}

/** Counts a client that was turned away because there was no token for it. */
export function countStarved(words: Int32Array): void {
  Atomics.add(words, TOKENS_STARVED, 1);
}

/** The ring is behind the rows and the clients that are to come back. */
function placeOf(words: Int32Array, token: number): number {
  return HEADER_WORDS + words[CAPACITY]! * ROW_WORDS + words[STICKY_ENTRIES]! * STICKY_WORDS +
    (token & (MOST_TOKENS - 1)) * TOKEN_WORDS;
}
