// The queue of a pool: the clients that wait for a place, in the order in which they came, over all threads.
// It stands in the pool's PickTable: a ring of words, one for each ticket. Tickets are given in order; only who
// holds the lowest that waits is to look for a place. A client may leave from anywhere in the queue.
//
//   word   EMPTY | who + 1: it waits | leftWord(ticket): it has left
//
// Threads do not wait for each other. Whoever leaves takes the head past all who have left. A ticket stands in
// the word of its leaving, so a thread that was preempted cannot take a later ticket's word for it. Who waits
// long closes up now and then: it takes the last ticket before the next who waits, so that the head, or whoever
// waits before it, can pass the others.
//
// `!` on typed-array reads: these words are in the header, or in the ring.

import {
  type PickTable,
  QUEUE_ENTRIES,
  QUEUE_HEAD,
  QUEUE_TAIL,
  QUEUE_TIMEOUTS,
  QUEUED,
  QUEUED_TOTAL,
} from "../pick/pick_table.ts";

/** How many clients can wait for a place in a pool at most. */
export const MOST_QUEUED = 10_000;
/** Words of the ring of a pool that serves: those who have left take up room until the head has passed them. */
export const QUEUE_SIZE = 1 << 14;

/** Instead of a ticket: there is no room. */
export const NO_ROOM = -1;
/** Instead of a client: nobody waits, or the first has not said yet who it is. */
export const NOBODY = -1;

const EMPTY = 0;
/** Tickets are not negative, and come round again after so many. */
const TICKETS = 1 << 30;
const TICKET_MASK = TICKETS - 1;
/** Room for tickets that threads take at the same instant. */
const MARGIN = 256;

/** How many wait. */
export function queuedIn(table: PickTable): number {
  return Atomics.load(table.words, QUEUED);
}

/**
 * Puts a client at the end.
 * @param who by what the engine knows it: an integer, 0 or more.
 * @param max how many may wait at most.
 * @returns its ticket, or NO_ROOM.
 */
export function enterQueue(table: PickTable, who: number, max: number): number {
  const words = table.words;
  const room = words[QUEUE_ENTRIES]! - MARGIN;
  if (Atomics.add(words, QUEUED, 1) >= max) return turnBack(words);
  for (;;) {
    const ticket = Atomics.load(words, QUEUE_TAIL);
    if (((ticket - Atomics.load(words, QUEUE_HEAD)) & TICKET_MASK) >= room) return turnBack(words);
    const next = (ticket + 1) & TICKET_MASK;
    if (Atomics.compareExchange(words, QUEUE_TAIL, ticket, next) !== ticket) continue;
    Atomics.store(words, wordOf(words, ticket), who + 1);
    Atomics.add(words, QUEUED_TOTAL, 1);
    return ticket;
  }
}

/** A client no longer waits. @returns whether another is the first now, or none is left. */
export function leaveQueue(table: PickTable, ticket: number): boolean {
  const words = table.words;
  Atomics.store(words, wordOf(words, ticket), leftWord(ticket));
  Atomics.sub(words, QUEUED, 1);
  return moveHead(words);
}

/**
 * A client that waits changes its ticket for the last behind it whose clients have all left. Its place in the
 * order stays the same. For the thread that has the client.
 * @returns its ticket from now on.
 */
export function closeUp(table: PickTable, ticket: number): number {
  const words = table.words;
  let last = ticket;
  for (;;) {
    const next = (last + 1) & TICKET_MASK;
    if (Atomics.load(words, wordOf(words, next)) !== leftWord(next)) break;
    last = next;
  }
  if (last === ticket) return ticket;
  // Nobody else writes there: the head stops before a client that waits, and so does who closes up to it.
  Atomics.store(words, wordOf(words, last), Atomics.load(words, wordOf(words, ticket)));
  Atomics.store(words, wordOf(words, ticket), leftWord(ticket));
  moveHead(words);
  return last;
}

/** Who waits with the lowest ticket; NOBODY: nobody. */
export function firstInQueue(table: PickTable): number {
  const words = table.words;
  const word = Atomics.load(words, wordOf(words, Atomics.load(words, QUEUE_HEAD)));
  return word > EMPTY ? word - 1 : NOBODY;
}

/** Counts a client whose time was over before there was a place. */
export function countTimeout(table: PickTable): void {
  Atomics.add(table.words, QUEUE_TIMEOUTS, 1);
}

/** Takes the head past those who have left. @returns whether it has moved. */
function moveHead(words: Int32Array): boolean {
  let hasMoved = false;
  for (;;) {
    const head = Atomics.load(words, QUEUE_HEAD);
    const left = leftWord(head);
    // Whoever empties the word is the one that moves the head on.
    if (Atomics.compareExchange(words, wordOf(words, head), left, EMPTY) !== left) return hasMoved;
    Atomics.store(words, QUEUE_HEAD, (head + 1) & TICKET_MASK);
    hasMoved = true;
  }
}

function turnBack(words: Int32Array): number {
  Atomics.sub(words, QUEUED, 1);
  return NO_ROOM;
}

function leftWord(ticket: number): number {
  return -1 - ticket;
}

/** Where a ticket's word is: behind the rows and the clients that are to come back. */
function wordOf(words: Int32Array, ticket: number): number {
  const entries = words[QUEUE_ENTRIES]!;
  return words.length - entries + (ticket & (entries - 1));
}
