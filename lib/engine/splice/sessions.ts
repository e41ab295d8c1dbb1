// The beginnings and ends of sessions: what is counted, recorded, set and given back when a tunnel opens,
// when it closes, and when a client gets none.
//
// All methods run in the worker.
//
// `!` on typed-array reads: slots come from the tunnel table.

import {
  CLIENT_LEFT as CLIENT_GONE,
  NO_BACKEND as NOBODY,
  OUT_OF_DESCRIPTORS as NO_DESCRIPTOR,
  QUEUE_FULL as NO_ROOM_TO_WAIT,
  QUEUE_TIMEOUT as WAITED_IN_VAIN,
  STARVED as NO_TOKEN,
} from "../../core/dial/dial_policy.ts";
import type { Dialer } from "./dialer.ts";
import {
  ACTIVE_TUNNELS,
  ATTEMPTS,
  BYTES,
  BYTES_TO_BACKEND,
  BYTES_TO_CLIENT,
  CLIENT_ADDRESS,
  FD,
  FLAGS,
  FRONTEND,
  LAST_MOVE,
  NEXT_TUNNEL_HIGH,
  NEXT_TUNNEL_LOW,
  OPEN,
  OPENED,
  OPENED_AT,
  POOL,
  REASON,
  REFUSED,
  SERIAL,
  STATE,
  TUNNEL_ID,
  TUNNEL_NUMBERS,
  TUNNEL_WORDS,
} from "./layout.ts";
import type { Ledger } from "./ledger.ts";
import type { Lingering } from "./lingering.ts";
import type { WorkerSetup } from "./control_messages.ts";
import {
  CLIENT_LEFT,
  CONNECT_FAILURE,
  NO_BACKEND,
  OUT_OF_DESCRIPTORS,
  QUEUE_FULL,
  QUEUE_TIMEOUT,
  type Recorder,
  STARVED,
} from "./records.ts";
import type { SocketOptions } from "./socket_options.ts";
import type { TimerWheel } from "./timer_wheel.ts";
import type { Listeners } from "./listeners.ts";
import type { Relay } from "./relay.ts";
import { type TunnelTable, WRITABLE } from "./tunnel_table.ts";

/**
 * A tunnel that has stood so long gets its backend's keepalive options. Most short connections end
 * before, and are spared four system calls.
 */
const KEEPALIVE_AFTER_MS = 1000;

/** The parts of a worker that know of sessions. */
export interface SessionParts {
  readonly table: TunnelTable;
  readonly wheel: TimerWheel;
  readonly recorder: Recorder;
  readonly ledger: Ledger;
  readonly relay: Relay;
  readonly dialer: Dialer;
  readonly listeners: Listeners;
  readonly lingering: Lingering;
  readonly options: SocketOptions;
}

export class Sessions {
  readonly #table: TunnelTable;
  readonly #wheel: TimerWheel;
  readonly #recorder: Recorder;
  readonly #ledger: Ledger;
  readonly #relay: Relay;
  readonly #dialer: Dialer;
  readonly #listeners: Listeners;
  readonly #lingering: Lingering;
  readonly #options: SocketOptions;
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #counters: Float64Array;
  readonly #engine: Int32Array;
  readonly #time: Float64Array;

  /** @param time the loop's: now, and now as milliseconds since the epoch. */
  constructor(setup: WorkerSetup, time: Float64Array, parts: SessionParts) {
    this.#table = parts.table;
    this.#wheel = parts.wheel;
    this.#recorder = parts.recorder;
    this.#ledger = parts.ledger;
    this.#relay = parts.relay;
    this.#dialer = parts.dialer;
    this.#listeners = parts.listeners;
    this.#lingering = parts.lingering;
    this.#options = parts.options;
    this.#words = setup.memory.words;
    this.#numbers = setup.memory.numbers;
    this.#counters = setup.memory.counters;
    this.#engine = setup.engine;
    this.#time = time;
  }

  /** A backend has taken the connection: a tunnel begins. */
  open(slot: number): void {
    const base = slot * TUNNEL_WORDS;
    const figures = slot * TUNNEL_NUMBERS;
    const words = this.#words;
    const numbers = this.#numbers;
    const now = this.#time[0]!;
    this.#ledger.open(base, this.#dialer.tableOf(slot));
    words[base + FLAGS]! |= WRITABLE | WRITABLE << 1 |
      this.#listeners.readsShort(slot) | this.#dialer.readsShort(slot);
    numbers[figures + OPENED_AT] = now;
    numbers[figures + LAST_MOVE] = now;
    numbers[figures + TUNNEL_ID] = this.#nextId();
    // Last: who finds it open (session_reader.ts) finds its number with it.
    Atomics.store(words, base + STATE, OPEN);
    this.#counters[OPENED]! += 1;
    this.#counters[ACTIVE_TUNNELS]! += 1;
    this.#recorder.opened(base, figures, this.#time[1]!, this.#listeners.localAddress(slot));
    const idleTimeoutMs = this.#listeners.idleTimeoutMs(slot);
    const idle = idleTimeoutMs > 0 && idleTimeoutMs < KEEPALIVE_AFTER_MS;
    this.#wheel.set(slot, now + (idle ? idleTimeoutMs : KEEPALIVE_AFTER_MS));
  }

  /** Ends an open tunnel; REASON says why. */
  close(slot: number): void {
    const base = slot * TUNNEL_WORDS;
    const figures = slot * TUNNEL_NUMBERS;
    const words = this.#words;
    this.#relay.drop(base, 0);
    this.#relay.drop(base, 1);
    this.#options.closeTunnel(words[base + FD]!, words[base + FD + 1]!, words[base + REASON]!);
    words[base + FD] = -1;
    words[base + FD + 1] = -1;
    words[base + SERIAL] = 0;
    words[base + SERIAL + 1] = 0;
    this.#ledger.end(base, this.#dialer.tableOf(slot));
    this.#counters[ACTIVE_TUNNELS]! -= 1;
    this.#counters[BYTES_TO_BACKEND]! += this.#numbers[figures + BYTES]!;
    this.#counters[BYTES_TO_CLIENT]! += this.#numbers[figures + BYTES + 1]!;
    this.#recorder.closed(base, figures, this.#time[1]!, this.#time[0]!);
    this.#giveBack(slot);
    this.#table.give(slot);
  }

  /** A client gets no tunnel; `action` is the policy's (core/dial/dial_policy.ts). */
  refuse(slot: number, action: number): void {
    switch (action) {
      case NOBODY:
        return this.turnAway(slot, NO_BACKEND);
      case NO_DESCRIPTOR:
        return this.turnAway(slot, OUT_OF_DESCRIPTORS);
      case NO_ROOM_TO_WAIT:
        return this.turnAway(slot, QUEUE_FULL);
      case WAITED_IN_VAIN:
        return this.turnAway(slot, QUEUE_TIMEOUT);
      case CLIENT_GONE:
        return this.turnAway(slot, CLIENT_LEFT);
      case NO_TOKEN:
        return this.turnAway(slot, STARVED);
      default:
        return this.turnAway(slot, CONNECT_FAILURE);
    }
  }

  /** A client gets no tunnel; `reason` says why. */
  turnAway(slot: number, reason: number): void {
    const base = slot * TUNNEL_WORDS;
    const words = this.#words;
    this.#counters[REFUSED]! += 1;
    this.#recorder.refused(
      base,
      words[base + FRONTEND]!,
      words[base + POOL]!,
      this.#time[1]!,
      reason,
      reason === NO_BACKEND ? 0 : words[base + ATTEMPTS]!,
      words,
      base + CLIENT_ADDRESS,
    );
    this.#giveBack(slot);
    this.#lingering.seeOff(slot, reason);
  }

  /** Counts up over all workers; two words, since a busy site passes 2^32 within months. */
  #nextId(): number {
    const low = (Atomics.add(this.#engine, NEXT_TUNNEL_LOW, 1) + 1) >>> 0;
    if (low === 0) Atomics.add(this.#engine, NEXT_TUNNEL_HIGH, 1);
    return Atomics.load(this.#engine, NEXT_TUNNEL_HIGH) * 2 ** 32 + low;
  }

  /**
   * Gives back all that a client has but its slot and its socket. One that is refused does not hear of it
   * before: it may come again at once, to another worker.
   */
  #giveBack(slot: number): void {
    const base = slot * TUNNEL_WORDS;
    this.#wheel.clear(slot);
    this.#ledger.leavePlan(base);
    this.#dialer.forget(slot);
    this.#ledger.dismissClient(base);
  }
}
