// The engine's events as records: the worker's side. events.ts reads them back in the same order.
//
// `!` on typed-array reads: tunnel bases are below the table's size by construction.

import type { Choice } from "../../core/pick/pick_kernels.ts";
import {
  ACCEPTED_AT,
  ADDRESS,
  ATTEMPTS,
  BYTES,
  CHOICE,
  CLIENT_ADDRESS,
  CONNECT_STARTED,
  ERRNO,
  EVENTS_DROPPED,
  FRONTEND,
  LISTENER,
  OPENED_AT,
  OUTGOING_ADDRESS,
  PLAN,
  QUEUED_MS,
  REASON,
  ROW,
  SERIAL,
  TUNNEL_ID,
  TUNNEL_WORDS,
  type WorkerMemory,
} from "./layout.ts";
import { RingWriter } from "./ring.ts";
import { SOCKADDR_WORDS } from "./sockaddr.ts";

/** What a record tells. */
export const OPENED_RECORD = 1;
export const CLOSED_RECORD = 2;
export const CONNECT_FAILED_RECORD = 3;
export const REFUSED_RECORD = 4;
export const ACCEPT_FAILED_RECORD = 5;
export const PICKED_RECORD = 6;

/** Why a tunnel ended, by number; the words are in events.ts. */
export const CLIENT_CLOSED = 1;
export const BACKEND_CLOSED = 2;
export const CLIENT_RESET = 3;
export const BACKEND_RESET = 4;
export const IDLE_TIMEOUT = 5;
export const SHUTDOWN = 6;
export const KILLED = 7;
export const DRAINED = 8;

/** Why a client got no tunnel, by number. */
export const NO_REASON = 0; // none: it may come in
export const NO_BACKEND = 1;
export const CONNECT_FAILURE = 2;
export const FRONTEND_FULL = 3;
export const OUT_OF_DESCRIPTORS = 4;
export const DENIED = 5;
export const SOURCE_FULL = 6;
export const SOURCE_RATE = 7;
export const BAD_PROXY_HEADER = 8;
export const QUEUE_FULL = 9;
export const QUEUE_TIMEOUT = 10;
export const CLIENT_LEFT = 11;
export const STARVED = 12;

/** Words of a tunnel's record from CHOICE on. */
const CHOICE_WORDS = 6;

/** What stands beside the kernel's number in the first of them. */
export const KERNEL_MASK = 0xff;
export const STICKY_FLAG = 0x100;
export const PACED_FLAG = 0x200;

/** Length, number and kind. */
const HEAD = 3;
const LENGTHS = {
  opened: HEAD + 2 + 5 + 2 + 2 + 1 + CHOICE_WORDS + 3 * SOCKADDR_WORDS + 1 + 2,
  closed: HEAD + 2 + 3 + 2 + 2 + 4 + 1 + 2 * SOCKADDR_WORDS,
  connectFailed: HEAD + 4 + 2 + 1 + SOCKADDR_WORDS + 2,
  refused: HEAD + 2 + 2 + 2 + SOCKADDR_WORDS + 3,
  acceptFailed: HEAD + 1 + 2 + 1,
  picked: HEAD + 2 + 1 + 2,
};

/** Keeps what a pick looked at with the tunnel, until it opens. Runs in the worker. */
export function keepChoice(words: Int32Array, base: number, choice: Choice): void {
  const at = base + CHOICE;
  words[at] = choice.kernel | (choice.sticky ? STICKY_FLAG : 0) | (choice.paced ? PACED_FLAG : 0);
  words[at + 1] = choice.free;
  words[at + 2] = choice.active;
  words[at + 3] = choice.runnerUp;
  words[at + 4] = choice.runnerUpFree;
  words[at + 5] = choice.runnerUpActive;
}

/** Writes events into the worker's ring. */
export class Recorder {
  readonly #ring: RingWriter;
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #counters: Float64Array;

  /** @param engine the memory that all workers share. */
  constructor(memory: WorkerMemory, engine: Int32Array) {
    this.#ring = new RingWriter(memory.ring, memory.control, engine);
    this.#words = memory.words;
    this.#numbers = memory.numbers;
    this.#counters = memory.counters;
  }

  /** Tells whether the control plane has still to read something. */
  get waiting(): boolean {
    return !this.#ring.empty;
  }

  /** A backend was picked, or none was to be had; `snapshot` says in `length` words what was seen. */
  picked(base: number, atMs: number, snapshot: Int32Array, length: number): void {
    const ring = this.#ring;
    if (!this.#begin(LENGTHS.picked + length, PICKED_RECORD)) return;
    this.#client(base);
    ring.word(this.#words[base + PLAN]!);
    ring.number(atMs);
    ring.copy(snapshot, 0, length);
    ring.commit();
  }

  opened(base: number, figures: number, atMs: number, local: Int32Array): void {
    const ring = this.#ring;
    const words = this.#words;
    const numbers = this.#numbers;
    if (!this.#begin(LENGTHS.opened, OPENED_RECORD)) return;
    this.#client(base);
    ring.number(numbers[figures + TUNNEL_ID]!);
    ring.word(words[base + FRONTEND]!);
    ring.word(words[base + PLAN]!);
    ring.word(words[base + ROW]!);
    ring.word(words[base + ADDRESS]!);
    ring.word(words[base + ATTEMPTS]!);
    ring.number(atMs);
    ring.number(numbers[figures + OPENED_AT]! - numbers[figures + CONNECT_STARTED]!);
    ring.word(words[base + QUEUED_MS]!);
    ring.copy(words, base + CHOICE, CHOICE_WORDS);
    ring.copy(words, base + CLIENT_ADDRESS, SOCKADDR_WORDS);
    ring.copy(local, 0, SOCKADDR_WORDS);
    ring.copy(words, base + OUTGOING_ADDRESS, SOCKADDR_WORDS);
    ring.word(words[base + LISTENER]!);
    ring.commit();
  }

  closed(base: number, figures: number, atMs: number, nowMs: number): void {
    const ring = this.#ring;
    const words = this.#words;
    const numbers = this.#numbers;
    if (!this.#begin(LENGTHS.closed, CLOSED_RECORD)) return;
    ring.number(numbers[figures + TUNNEL_ID]!);
    ring.word(words[base + FRONTEND]!);
    ring.word(words[base + PLAN]!);
    ring.word(words[base + ROW]!);
    ring.number(atMs);
    ring.number(nowMs - numbers[figures + ACCEPTED_AT]!);
    ring.number(numbers[figures + BYTES]!);
    ring.number(numbers[figures + BYTES + 1]!);
    ring.word(words[base + REASON]!);
    ring.copy(words, base + CLIENT_ADDRESS, SOCKADDR_WORDS);
    ring.copy(words, base + OUTGOING_ADDRESS, SOCKADDR_WORDS);
    ring.commit();
  }

  connectFailed(base: number, atMs: number): void {
    const ring = this.#ring;
    const words = this.#words;
    if (!this.#begin(LENGTHS.connectFailed, CONNECT_FAILED_RECORD)) return;
    this.#client(base);
    ring.word(words[base + FRONTEND]!);
    ring.word(words[base + PLAN]!);
    ring.word(words[base + ROW]!);
    ring.word(words[base + ADDRESS]!);
    ring.number(atMs);
    ring.word(words[base + ERRNO]!);
    ring.copy(words, base + CLIENT_ADDRESS, SOCKADDR_WORDS);
    ring.commit();
  }

  /** `base` is that of the client's record, -1 when it got none; `client` and `at` say where its sockaddr is. */
  refused(
    base: number,
    frontend: number,
    pool: number,
    atMs: number,
    reason: number,
    attempts: number,
    client: Int32Array,
    at: number,
  ): void {
    const ring = this.#ring;
    if (!this.#begin(LENGTHS.refused, REFUSED_RECORD)) return;
    this.#client(base);
    ring.word(frontend);
    ring.word(pool);
    ring.number(atMs);
    ring.word(reason);
    ring.word(attempts);
    ring.word(base < 0 ? 0 : this.#words[base + QUEUED_MS]!);
    ring.copy(client, at, SOCKADDR_WORDS);
    ring.commit();
  }

  acceptFailed(frontend: number, atMs: number, errno: number): void {
    const ring = this.#ring;
    if (!this.#begin(LENGTHS.acceptFailed, ACCEPT_FAILED_RECORD)) return;
    ring.word(frontend);
    ring.number(atMs);
    ring.word(errno);
    ring.commit();
  }

  /** Which client a record is about: its slot, and the serial that tells it from the slot's earlier ones. */
  #client(base: number): void {
    this.#ring.word(base < 0 ? -1 : base / TUNNEL_WORDS);
    this.#ring.word(base < 0 ? 0 : this.#words[base + SERIAL]!);
  }

  #begin(length: number, kind: number): boolean {
    if (!this.#ring.begin(length)) {
      this.#counters[EVENTS_DROPPED]! += 1;
      return false;
    }
    this.#ring.word(kind);
    return true;
  }
}
