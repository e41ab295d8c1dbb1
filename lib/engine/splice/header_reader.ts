// Reads the PROXY headers of clients that must begin with one, before anything else is done for them. A header
// is looked at where it waits in the kernel, and read once it is whole: no byte behind it is ever taken.
//
// All methods run in the worker.
//
// `!` on typed-array reads: slots come from the tunnel table.

import {
  COMPLETE,
  HEADER_TIMEOUT_MS,
  INCOMPLETE,
  MOST_HEADER_BYTES,
  ProxyHeaderReader,
} from "../../core/proxy_protocol/header_reader.ts";
import type { Admission } from "./admission.ts";
import {
  CLIENT_ADDRESS,
  FD,
  FLAGS,
  LISTENER,
  STATE,
  TUNNEL_WORDS,
  WAITING,
  type WorkerMemory,
} from "./layout.ts";
import {
  addressOf,
  EAGAIN,
  EINTR,
  EPOLLERR,
  EPOLLHUP,
  EPOLLRDHUP,
  type Libc,
  MSG_PEEK,
} from "./libc.ts";
import type { Listeners } from "./listeners.ts";
import { READ_ON } from "./poller.ts";
import { BAD_PROXY_HEADER, NO_BACKEND, NO_REASON } from "./records.ts";
import type { Sessions } from "./sessions.ts";
import { SOCKADDR_WORDS, writeEndpoint } from "./sockaddr.ts";
import type { TimerWheel } from "./timer_wheel.ts";
import { READABLE, SHORT_READ_INCONCLUSIVE, VIA_PROXY } from "./tunnel_table.ts";

/** No more bytes come. */
const LAST = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

/** The parts of a worker that reading headers takes. */
export interface HeaderReaderParts {
  readonly libc: Libc;
  readonly memory: WorkerMemory;
  readonly wheel: TimerWheel;
  readonly listeners: Listeners;
  readonly sessions: Sessions;
  readonly admission: Pick<Admission, "objectionBehindProxy">;
  /** The loop's: see there. */
  readonly time: Float64Array;
}

export class HeaderReader {
  readonly #calls: Libc["calls"];
  readonly #errno: Int32Array;
  readonly #words: Int32Array;
  readonly #reached: Int32Array;
  readonly #wheel: TimerWheel;
  readonly #listeners: Listeners;
  readonly #sessions: Sessions;
  readonly #admission: HeaderReaderParts["admission"];
  readonly #time: Float64Array;
  readonly #header = new ProxyHeaderReader();
  readonly #bytes = new Uint8Array(MOST_HEADER_BYTES);
  readonly #bytesAddress = addressOf(this.#bytes);
  #hasWaiting = false;

  constructor(parts: HeaderReaderParts) {
    this.#calls = parts.libc.calls;
    this.#errno = parts.libc.errno;
    this.#words = parts.memory.words;
    this.#reached = parts.memory.reached;
    this.#wheel = parts.wheel;
    this.#listeners = parts.listeners;
    this.#sessions = parts.sessions;
    this.#admission = parts.admission;
    this.#time = parts.time;
  }

  /** Whether a header that is whole has been left where it is; asking forgets it. */
  get hasWaiting(): boolean {
    const hasWaiting = this.#hasWaiting;
    this.#hasWaiting = false;
    return hasWaiting;
  }

  /** Such a client has come. @returns whether its header is read, and the client can go on. */
  begin(slot: number): boolean {
    this.#wheel.set(slot, this.#time[0]! + HEADER_TIMEOUT_MS);
    // Who has come before a reload goes by what was before, though it is held.
    return this.#look(slot, false, false);
  }

  /** Its socket has these epoll events. @returns as `begin`. */
  ready(slot: number, events: number): boolean {
    if ((events & READ_ON) !== 0) {
      this.#words[slot * TUNNEL_WORDS + FLAGS]! |= SHORT_READ_INCONCLUSIVE;
    }
    return this.#look(slot, (events & LAST) !== 0, this.#listeners.isHeld);
  }

  /** Its deadline has come. @returns as `begin`. */
  expired(slot: number): boolean {
    // This thread may have stood still: what has come meanwhile counts.
    return this.#look(slot, true, this.#listeners.isHeld);
  }

  /**
   * Looks at what has come; a client whose header is bad is refused.
   * @param isLast no more will come, or none is waited for.
   * @param isHeld a whole header stays where it is.
   */
  #look(slot: number, isLast: boolean, isHeld: boolean): boolean {
    const fd = this.#words[slot * TUNNEL_WORDS + FD]!;
    const count = this.#receive(fd, MOST_HEADER_BYTES, MSG_PEEK);
    const isOver = isLast || count === 0 || (count < 0 && this.#errno[0] !== EAGAIN);
    const verdict = this.#header.read(this.#bytes, Math.max(0, count));
    if (verdict === INCOMPLETE && !isOver) return false;
    if (verdict === COMPLETE && isHeld) {
      this.#hasWaiting = true;
      return false;
    }
    if (verdict === COMPLETE) {
      const { length } = this.#header;
      if (this.#receive(fd, length, 0) === length) return this.#accepted(slot);
    }
    this.#sessions.turnAway(slot, BAD_PROXY_HEADER);
    return false;
  }

  /** The header is read: the client is who the header says. @returns whether it can go on. */
  #accepted(slot: number): boolean {
    const base = slot * TUNNEL_WORDS;
    const words = this.#words;
    const { source, destination } = this.#header;
    this.#wheel.clear(slot);
    words[base + STATE] = WAITING;
    words[base + FLAGS]! |= READABLE;
    if (source.count > 0) {
      writeEndpoint(words, base + CLIENT_ADDRESS, source);
      writeEndpoint(this.#reached, slot * SOCKADDR_WORDS, destination);
      words[base + FLAGS]! |= VIA_PROXY;
    }
    const listener = this.#listeners.find(words[base + LISTENER]!);
    // Once its listener is closed, the pools may have other backends.
    const reason = listener === undefined || !this.#listeners.renew(slot)
      ? NO_BACKEND
      : this.#admission.objectionBehindProxy(slot, listener, this.#time[0]!);
    if (reason === NO_REASON) return true;
    this.#sessions.turnAway(slot, reason);
    return false;
  }

  #receive(fd: number, length: number, flags: number): number {
    for (;;) {
      const count = this.#calls.recv(fd, this.#bytesAddress, length, flags);
      if (count >= 0 || this.#errno[0] !== EINTR) return count;
    }
  }
}
