// Refused clients that are told why: they are sent a text and its end, and what they send is read and thrown
// away until they close. A socket that is closed with input unread sends a reset, and a reset can destroy what
// the client has not read yet. Such a client holds nothing but its slot and its socket. There are few at a
// time, each for a short time, and they give way when slots or descriptors are short.
//
// All methods run in the worker.
//
// `!` on typed-array reads: slots come from the tunnel table.

import {
  BYTES,
  FD,
  LINGERING,
  LISTENER,
  SERIAL,
  STATE,
  TUNNEL_NUMBERS,
  TUNNEL_WORDS,
} from "./layout.ts";
import type { Ledger } from "./ledger.ts";
import { addressOf, EAGAIN, EINTR, type Libc, MSG_NOSIGNAL, SHUT_WR } from "./libc.ts";
import type { Listener, Listeners } from "./listeners.ts";
import type { Poller } from "./poller.ts";
import type { TimerWheel } from "./timer_wheel.ts";
import type { TunnelTable } from "./tunnel_table.ts";

/** Clients of one worker that linger at a time; those beyond are closed at once. */
export const MOST_LINGERING = 256;
/** How long a client may take to read and close. */
const LINGER_MS = 2000;
/** What is thrown away of one client; an ssh client sends some 2 KiB before it reads. */
const MOST_BYTES = 64 * 1024;
const WASTE_BYTES = 4096;

/** The parts of a worker that are used here. */
export interface LingeringParts {
  readonly libc: Libc;
  readonly table: TunnelTable;
  readonly poller: Poller;
  readonly wheel: TimerWheel;
  readonly ledger: Ledger;
  readonly listeners: Listeners;
  /** The loop's: now first. */
  readonly time: Float64Array;
}

export class Lingering {
  readonly #libc: Libc;
  readonly #table: TunnelTable;
  readonly #poller: Poller;
  readonly #wheel: TimerWheel;
  readonly #ledger: Ledger;
  readonly #listeners: Listeners;
  readonly #time: Float64Array;
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  /** Those that linger, in no order. */
  readonly #slots = new Int32Array(MOST_LINGERING);
  #count = 0;
  readonly #waste = new Uint8Array(WASTE_BYTES);
  readonly #wasteAddress = addressOf(this.#waste);

  constructor(parts: LingeringParts) {
    this.#libc = parts.libc;
    this.#table = parts.table;
    this.#poller = parts.poller;
    this.#wheel = parts.wheel;
    this.#ledger = parts.ledger;
    this.#listeners = parts.listeners;
    this.#time = parts.time;
    this.#words = parts.table.words;
    this.#numbers = parts.table.numbers;
  }

  /** Sees a refused client off; its slot is all that it still has. */
  seeOff(slot: number, reason: number): void {
    const base = slot * TUNNEL_WORDS;
    const words = this.#words;
    const fd = words[base + FD]!;
    const text = this.#listeners.find(words[base + LISTENER]!)?.refusalText[reason];
    // A reset by the client, or no room in its buffer: there is nobody to wait for.
    if (
      text === undefined || !this.#hasRoom ||
      this.#libc.calls.send(fd, text.pointer, text.bytes.length, MSG_NOSIGNAL) < text.bytes.length
    ) {
      this.#close(slot);
      return;
    }
    this.#libc.calls.shutdown(fd, SHUT_WR);
    words[base + STATE] = LINGERING;
    this.#slots[this.#count++] = slot;
    this.#numbers[slot * TUNNEL_NUMBERS + BYTES] = 0;
    this.#wheel.set(slot, this.#time[0]! + LINGER_MS);
    // What it has sent may have been reported before.
    this.ready(slot);
  }

  /** Sees a refused client off that has no slot and is not counted. */
  seeOffSocket(fd: number, { spec, refusalText }: Listener, reason: number): void {
    if (refusalText[reason] === undefined || !this.#hasRoom || this.#table.full) {
      this.#libc.calls.close(fd);
      return;
    }
    const slot = this.#table.take();
    const base = slot * TUNNEL_WORDS;
    this.#words[base + FD] = fd;
    this.#words[base + FD + 1] = -1;
    this.#words[base + SERIAL + 1] = 0;
    this.#words[base + LISTENER] = spec.id;
    if (this.#poller.add(slot, 0)) this.seeOff(slot, reason);
    else this.#close(slot);
  }

  /** A client that lingers has sent something, or its end. */
  ready(slot: number): void {
    const fd = this.#words[slot * TUNNEL_WORDS + FD]!;
    const figure = slot * TUNNEL_NUMBERS + BYTES;
    while (this.#numbers[figure]! < MOST_BYTES) {
      const count = this.#libc.calls.recv(fd, this.#wasteAddress, WASTE_BYTES, 0);
      if (count > 0) this.#numbers[figure]! += count;
      else if (count === 0) break;
      else if (this.#libc.errno[0] === EAGAIN) return;
      else if (this.#libc.errno[0] !== EINTR) break;
    }
    this.end(slot);
  }

  /** A client has lingered long enough. */
  end(slot: number): void {
    const at = this.#slots.indexOf(slot);
    this.#slots[at] = this.#slots[--this.#count]!;
    this.#close(slot);
  }

  /** Tells whether nobody lingers. */
  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** All give their slots and descriptors to others. */
  giveWay(): void {
    while (this.#count > 0) this.end(this.#slots[0]!);
  }

  get #hasRoom(): boolean {
    return this.#count < MOST_LINGERING && !this.#ledger.outOfDescriptors;
  }

  #close(slot: number): void {
    const base = slot * TUNNEL_WORDS;
    this.#wheel.clear(slot);
    this.#libc.calls.close(this.#words[base + FD]!);
    this.#words[base + FD] = -1;
    this.#words[base + SERIAL] = 0;
    this.#table.give(slot);
  }
}
