// TCP mode: one backend for one client, picked before anything is read from the client. What the client
// sends waits in the kernel until a backend has taken the connection, so every failed connect can be
// retried elsewhere; then the relay moves bytes both ways.
//
// All methods run in the worker.
//
// `!` on typed-array reads: slots come from the tunnel table.

import { CONNECT, OPEN as CONNECTED, QUEUE, WAIT } from "../../core/dial/dial_policy.ts";
import type { Dialer } from "./dialer.ts";
import {
  FD,
  FLAGS,
  HELD,
  LAST_MOVE,
  OPEN,
  QUEUED,
  REASON,
  STATE,
  TUNNEL_NUMBERS,
  TUNNEL_WORDS,
  type WorkerMemory,
} from "./layout.ts";
import { EPOLLERR, EPOLLHUP, EPOLLOUT } from "./libc.ts";
import type { Listeners } from "./listeners.ts";
import type { LoopClock } from "./loop_clock.ts";
import type { ModeHandler } from "./mode_handler.ts";
import { READ, READ_ON } from "./poller.ts";
import { IDLE_TIMEOUT, SHUTDOWN } from "./records.ts";
import { BUDGET_EXHAUSTED, OVER, type Relay } from "./relay.ts";
import type { Sessions } from "./sessions.ts";
import type { SocketOptions } from "./socket_options.ts";
import type { TimerWheel } from "./timer_wheel.ts";
import {
  ENDED,
  KEEPALIVE_SET,
  READABLE,
  SHORT_READ_INCONCLUSIVE,
  WRITABLE,
} from "./tunnel_table.ts";
import type { TurnQueue } from "./turn_queue.ts";

/** Multiplied with a flag: that of both sides. */
const SIDES = 1 | 1 << 1;

/** The parts of a worker that TCP mode uses. */
export interface TcpParts {
  readonly memory: WorkerMemory;
  readonly wheel: TimerWheel;
  readonly relay: Relay;
  readonly dialer: Dialer;
  readonly listeners: Listeners;
  readonly sessions: Sessions;
  readonly options: SocketOptions;
  readonly turns: TurnQueue;
  readonly clock: LoopClock;
  /** The loop's: see there. */
  readonly time: Float64Array;
}

export class TcpHandler implements ModeHandler {
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #wheel: TimerWheel;
  readonly #relay: Relay;
  readonly #dialer: Dialer;
  readonly #listeners: Listeners;
  readonly #sessions: Sessions;
  readonly #options: SocketOptions;
  readonly #turns: TurnQueue;
  readonly #clock: LoopClock;
  readonly #time: Float64Array;

  constructor(parts: TcpParts) {
    this.#words = parts.memory.words;
    this.#numbers = parts.memory.numbers;
    this.#wheel = parts.wheel;
    this.#relay = parts.relay;
    this.#dialer = parts.dialer;
    this.#listeners = parts.listeners;
    this.#sessions = parts.sessions;
    this.#options = parts.options;
    this.#turns = parts.turns;
    this.#clock = parts.clock;
    this.#time = parts.time;
  }

  begin(slot: number): void {
    this.#dialled(slot, this.#dialer.begin(slot));
  }

  ready(slot: number, side: number, events: number): void {
    const base = slot * TUNNEL_WORDS;
    const words = this.#words;
    const before = words[base + FLAGS]!;
    let set = 0;
    if ((events & READ) !== 0) set |= READABLE << side;
    if ((events & READ_ON) !== 0) set |= SHORT_READ_INCONCLUSIVE << side;
    if (words[base + STATE] !== OPEN) {
      words[base + FLAGS] = before | set;
      const failed = (events & (EPOLLERR | EPOLLHUP)) !== 0;
      if (side === 0) {
        // The client's bytes, and even its end, wait until a backend is there.
        if (failed && words[base + STATE] === QUEUED) {
          this.#sessions.refuse(slot, this.#dialer.left(slot));
        }
        return;
      }
      if (!failed && (events & EPOLLOUT) === 0) return;
      this.#dialled(slot, this.#dialer.advance(slot, !failed));
      return;
    }
    if ((events & EPOLLOUT) !== 0) set |= WRITABLE << side;
    words[base + FLAGS] = before | set;
    if ((events & EPOLLERR) !== 0 && (before & (ENDED << side)) !== 0) {
      // Reset after its regular end: no read will tell.
      if (this.#after(slot, this.#relay.broken(slot, side, this.#time[0]!))) return;
    }
    if ((set & (READABLE << side)) !== 0 && this.#pump(slot, side)) return;
    // The other direction was waiting for this side to take bytes.
    if ((set & (WRITABLE << side)) !== 0 && (before & (WRITABLE << side)) === 0) {
      this.#pump(slot, 1 - side);
    }
  }

  look(slot: number): void {
    this.#dialled(slot, this.#dialer.look(slot));
  }

  replan(slot: number): void {
    this.#dialled(slot, this.#dialer.replan(slot));
  }

  expired(slot: number): void {
    const base = slot * TUNNEL_WORDS;
    const words = this.#words;
    const now = this.#time[0]!;
    if (words[base + STATE] !== OPEN) {
      this.#dialled(slot, this.#dialer.expired(slot));
      return;
    }
    if ((words[base + FLAGS]! & KEEPALIVE_SET) === 0) {
      words[base + FLAGS]! |= KEEPALIVE_SET;
      this.#options.keepAlive(words[base + FD + 1]!);
    }
    const idleTimeoutMs = this.#listeners.idleTimeoutMs(slot);
    if (idleTimeoutMs === 0) return;
    if (this.#idleEnd(slot, idleTimeoutMs) <= now) {
      // This thread may have stood still: what has come meanwhile counts.
      words[base + FLAGS]! |= (READABLE | WRITABLE) * SIDES;
      if (this.#pump(slot, 0) || this.#pump(slot, 1)) return;
    }
    const end = this.#idleEnd(slot, idleTimeoutMs);
    if (now < end) this.#wheel.set(slot, end);
    else this.end(slot, IDLE_TIMEOUT);
  }

  goOn(slot: number): void {
    if (!this.#pump(slot, 0)) this.#pump(slot, 1);
  }

  end(slot: number, reason: number): void {
    this.#words[slot * TUNNEL_WORDS + REASON] = reason;
    this.#sessions.close(slot);
  }

  cut(slot: number): void {
    if (this.#words[slot * TUNNEL_WORDS + STATE] === OPEN) this.end(slot, SHUTDOWN);
    else this.#sessions.refuse(slot, this.#dialer.giveUp(slot));
  }

  /** Acts on what the dialler has come to. */
  #dialled(slot: number, action: number): void {
    if (action === CONNECT || action === WAIT || action === QUEUE) return;
    if (action !== CONNECTED) {
      this.#sessions.refuse(slot, action);
      return;
    }
    this.#sessions.open(slot);
    // Either side may have spoken already, and not all of a PROXY header may be sent.
    const base = slot * TUNNEL_WORDS;
    const flags = this.#words[base + FLAGS]!;
    const hasMore = (flags & READABLE) !== 0 || this.#words[base + HELD]! > 0;
    if (hasMore && this.#pump(slot, 0)) return;
    if ((flags & (READABLE << 1)) !== 0) this.#pump(slot, 1);
  }

  /** @returns true when the tunnel is closed. */
  #pump(slot: number, d: number): boolean {
    const now = this.#time[0]!;
    const result = this.#relay.pump(slot, d, now);
    const move = slot * TUNNEL_NUMBERS + LAST_MOVE;
    // Idle from the move on and not from the turn's beginning: a turn may take long.
    if (this.#numbers[move] === now && this.#listeners.idleTimeoutMs(slot) > 0) {
      this.#numbers[move] = this.#clock.now();
    }
    return this.#after(slot, result);
  }

  #after(slot: number, result: number): boolean {
    if (result === OVER) {
      this.#sessions.close(slot);
      return true;
    }
    if (result === BUDGET_EXHAUSTED) this.#turns.add(slot);
    return false;
  }

  #idleEnd(slot: number, idleTimeoutMs: number): number {
    return this.#numbers[slot * TUNNEL_NUMBERS + LAST_MOVE]! + idleTimeoutMs;
  }
}
