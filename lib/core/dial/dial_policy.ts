// The way of a client to a backend, without I/O: which backend, which of its addresses, until when, what
// a failure means, and when to give up. Every engine does what the policy says and tells it what came of it.
//
//   begin ─▶ pick ─▶ CONNECT ─▶ connected ─▶ OPEN
//           ▲ │ ▲       │ ▲
//           │ │ │     failed ─▶ WAIT (we are short, or a backlog is full), then the same address again
//           │ │ │       ├─ the backend's next address ─▶ CONNECT
//           │ │ └───────┴─ the next backend, up to `connectRetries`; nobody left: begin anew by a new plan
//           │ ▼
//           QUEUE (who should take the client is full), until it is the first and there is a place (look), or
//           its time is over (queueOver)
//
// Who comes while others wait for the same pool waits behind them (pool_queue.ts), unless it is to come back to
// a backend that has a place for it.
//
// A search's state stands with the engine (Dial): in words of shared memory, or in an object. Nothing is
// allocated per call.

import { Choice, drawWord, MAX_TRIES, NO_ROW, Tried } from "../pick/choice.ts";
import { SNAPSHOT_WORDS, takeSnapshot } from "../pick/decision_snapshot.ts";
import { giveUpWaiting } from "../pick/pacing.ts";
import { hasOthers, RETURN_ONLY } from "../pick/pick_kernels.ts";
import { CONNECT_FAILURES, type PickTable } from "../pick/pick_table.ts";
import { countStarved, isFed } from "../pick/tokens.ts";
import { countTimeout, queuedIn } from "./pool_queue.ts";

/** How a pool's backends are reached. */
export interface DialPlan {
  readonly table: PickTable;
  /** By row; undefined where nothing stands, or where this plan does not know yet what does. */
  readonly endpoints: readonly ({ readonly addresses: readonly unknown[] } | undefined)[];
  /** For all addresses of a backend together: they share it in equal parts. */
  readonly connectTimeoutMs: number;
  /** How many other backends are tried after the first did not take the connection. */
  readonly connectRetries: number;
  readonly queue: QueuePlan;
}

/** Who waits for a place in a pool. */
export interface QueuePlan {
  /** How long at most; 0: nobody waits. */
  readonly timeoutMs: number;
  /** How many at a time; who comes then is refused, or goes to a backend that stands back. */
  readonly max: number;
}

/** What an engine keeps of one client's search. */
export interface Dial {
  /** What the client goes by; undefined: its pool has no plan. */
  readonly plan: DialPlan | undefined;
  /** The row in which a place is reserved for it, NO_ROW: in none. The engine writes it. */
  readonly row: number;
  /** Which of the row's addresses is tried. */
  address: number;
  /** Backends tried, this one included. */
  attempts: number;
  /** When the address had its first try, or its socket after a wait for one; since when it is in the queue. */
  startedMs: number;
  /** Whether it is in the queue of its plan's table. The engine writes it. */
  readonly isQueued: boolean;
  /** How long it was in queues, in milliseconds. */
  queuedMs: number;
  /** Rows tried in vain; made at the first failure. */
  tried: Tried | null;
}

/** What an engine does for the policy. */
export interface DialDriver<D extends Dial> {
  /**
   * Picks a row of the plan's table for the client, and reserves a place in it.
   * @param patienceMs as `pick` wants it (core/pick/pick_kernels.ts).
   * @returns the row, or NO_ROW.
   */
  reserve(
    dial: D,
    table: PickTable,
    random: number,
    choice: Choice,
    patienceMs: number,
  ): number;
  /** Gives the place back; `row` is NO_ROW then. */
  release(dial: D, table: PickTable): void;
  /** Puts the client at the end of the table's queue. @returns false: `max` wait already. */
  enter(dial: D, table: PickTable, max: number): boolean;
  /** Takes the client out of the table's queue; another may be the first in it then. */
  leave(dial: D, table: PickTable): void;
  /** A pick was made, with a row or without; `snapshot` says in `length` words what it saw. */
  picked(dial: D, choice: Choice, snapshot: Int32Array, length: number): void;
  /** The client's backend did not take the connection; `isCounted`: by its own fault. It holds its place still. */
  failed(dial: D, isCounted: boolean): void;
  /**
   * Gives the client the plan that it would have if it came now, and takes it out of the queue of another
   * table. @returns whether that is another plan.
   */
  renew(dial: D): boolean;
}

/** What an engine does next: connects to the address that the dial names. */
export const CONNECT = 0;
/** Waits for {@linkcode WAIT_MS}, then connects to the same address. */
export const WAIT = 1;
/** Joins the client to the backend. */
export const OPEN = 2;
/** Refuses the client: no backend can take it, and none was tried. */
export const NO_BACKEND = 3;
/** Refuses the client: backends were tried in vain. */
export const CONNECT_FAILED = 4;
/** Refuses the client: we had no descriptor or memory for as long as a connect may take. */
export const OUT_OF_DESCRIPTORS = 5;
/** Waits in the pool's queue, until {@linkcode DialPolicy.queueEndMs} at most. */
export const QUEUE = 6;
/** Refuses the client: all backends are full, and as many wait as may. */
export const QUEUE_FULL = 7;
/** Refuses the client: all backends were full for as long as it may wait. */
export const QUEUE_TIMEOUT = 8;
/** Ends with the client, which has gone while it was in the queue. */
export const CLIENT_LEFT = 9;
/** Refuses the client: no token came for it (core/pick/tokens.ts). */
export const STARVED = 10;

/** What an attempt failed by: the backend, or the way to it. */
export const BY_BACKEND = 0;
/** We have no local address or port left to call from; another backend may be nearer. */
export const BY_LOCAL_ADDRESS = 1;
/** We have no descriptor or memory left, which is the same for every backend. */
export const BY_SHORTAGE = 2;
/** A unix socket's backlog is full at this moment; TCP's is waited for by the kernel. */
export const BY_BACKLOG = 3;

/** How soon an address is tried again. */
export const WAIT_MS = 20;

export class DialPolicy<D extends Dial> {
  readonly #driver: DialDriver<D>;
  readonly #random: () => number;
  readonly #choice = new Choice();
  readonly #snapshot = new Int32Array(SNAPSHOT_WORDS);
  readonly #spareTried: Tried[] = [];

  /** @param random in [0, 1) */
  constructor(driver: DialDriver<D>, random: () => number) {
    this.#driver = driver;
    this.#random = random;
  }

  /** A client has come, and goes by the plan that its dial has. @returns what to do. */
  begin(dial: D, nowMs: number): number {
    dial.attempts = 0;
    return this.#next(dial, nowMs, true);
  }

  /** Until when a client is in the queue at most. */
  queueEndMs({ plan, startedMs }: D): number {
    return startedMs + (plan?.queue.timeoutMs ?? 0);
  }

  /** The client is the first in its queue: looks for a place. @returns what to do; QUEUE while there is none. */
  look(dial: D, nowMs: number): number {
    const tableId = dial.plan?.table.id;
    const action = this.replan(dial, nowMs);
    const { plan } = dial;
    // In another queue it is not the first.
    if (action !== QUEUE || plan === undefined || plan.table.id !== tableId) return action;
    const leftMs = this.queueEndMs(dial) - nowMs;
    if (leftMs <= 0) return this.queueOver(dial, nowMs);
    if (this.#pick(dial, plan, leftMs)) {
      if (this.#choice.late) giveUpWaiting(plan.table.words);
      return this.#found(dial, nowMs);
    }
    if (this.#choice.waits) return QUEUE;
    this.#leaveQueue(dial, nowMs);
    return this.#refusal(dial);
  }

  /**
   * Plans may have changed: a client that is in the queue goes by the plan that it would have if it came now.
   * @returns what to do; with QUEUE its time may end otherwise than before.
   */
  replan(dial: D, nowMs: number): number {
    const { plan } = dial;
    if (plan === undefined || !this.#driver.renew(dial)) return QUEUE;
    dial.attempts = 0;
    this.#forgetTried(dial);
    if (dial.isQueued) return QUEUE;
    dial.queuedMs += nowMs - dial.startedMs;
    return this.#next(dial, nowMs, true);
  }

  /** The client has been in the queue for as long as it may. @returns what to do. */
  queueOver(dial: D, nowMs: number): number {
    const { plan } = dial;
    if (plan === undefined) return this.#refusal(dial);
    countTimeout(plan.table);
    if (this.#pick(dial, plan, 0)) {
      if (this.#choice.paced) giveUpWaiting(plan.table.words);
      return this.#found(dial, nowMs);
    }
    this.#leaveQueue(dial, nowMs);
    return this.#refusal(dial, QUEUE_TIMEOUT);
  }

  /** The client has gone while it was in the queue. @returns CLIENT_LEFT. */
  left(dial: D, nowMs: number): number {
    this.giveUp(dial, nowMs);
    return CLIENT_LEFT;
  }

  /** The time that one address has. */
  timeoutMs({ plan, row }: D): number {
    const count = plan?.endpoints[row]?.addresses.length ?? 1;
    return (plan?.connectTimeoutMs ?? 0) / Math.max(1, count);
  }

  /**
   * The attempt has a socket since `nowMs`.
   * @param waited for a descriptor: that we were short does not shorten the backend's time.
   * @returns until when it may take.
   */
  connecting(dial: D, waited: boolean, nowMs: number): number {
    if (waited) dial.startedMs = nowMs;
    return dial.startedMs + this.timeoutMs(dial);
  }

  /** The backend has taken the connection. @returns OPEN. */
  connected(dial: D): number {
    this.#forgetTried(dial);
    return OPEN;
  }

  /** An attempt failed, or its time is over, by one of the causes above. @returns what to do. */
  failed(dial: D, cause: number, nowMs: number): number {
    const { plan, row } = dial;
    if (plan === undefined) return this.#refusal(dial);
    const isShort = cause === BY_SHORTAGE;
    const passes = isShort || cause === BY_BACKLOG;
    if (passes && nowMs < dial.startedMs + this.timeoutMs(dial)) return WAIT;
    // Another address, or another backend, would not cure our lack of descriptors.
    if (!isShort && dial.address + 1 < (plan.endpoints[row]?.addresses.length ?? 0)) {
      dial.address += 1;
      dial.startedMs = nowMs;
      return CONNECT;
    }
    const isCounted = !isShort && cause !== BY_LOCAL_ADDRESS;
    if (isCounted) plan.table.add(row, CONNECT_FAILURES, 1);
    this.#driver.failed(dial, isCounted);
    this.#driver.release(dial, plan.table);
    if (isShort) {
      this.#forgetTried(dial);
      return OUT_OF_DESCRIPTORS;
    }
    this.#triedInVain(dial, row);
    return this.#next(dial, nowMs, false);
  }

  /** The engine ends the search. @returns how to refuse the client. */
  giveUp(dial: D, nowMs: number): number {
    if (dial.isQueued) this.#leaveQueue(dial, nowMs);
    if (dial.plan !== undefined) this.#driver.release(dial, dial.plan.table);
    return this.#refusal(dial);
  }

  /** Picks the next backend, or has the client wait for one. @param isNew whoever waits came before it. */
  #next(dial: D, nowMs: number, isNew: boolean): number {
    for (let isLast = isNew;; isLast = true) {
      const { plan } = dial;
      if (plan === undefined || dial.attempts > plan.connectRetries) return this.#refusal(dial);
      const { timeoutMs } = plan.queue;
      const isBehind = isLast && timeoutMs > 0 && queuedIn(plan.table) > 0;
      if (this.#pick(dial, plan, isBehind ? RETURN_ONLY : timeoutMs)) {
        return this.#found(dial, nowMs);
      }
      if (this.#choice.waits) return this.#enterQueue(dial, plan, nowMs);
      if (!this.#driver.renew(dial)) return this.#refusal(dial);
      dial.attempts = 0;
      this.#forgetTried(dial);
    }
  }

  /** A place is reserved: begins with the backend's first address. */
  #found(dial: D, nowMs: number): number {
    if (dial.isQueued) this.#leaveQueue(dial, nowMs);
    dial.address = 0;
    dial.attempts += 1;
    dial.startedMs = nowMs;
    return CONNECT;
  }

  #enterQueue(dial: D, plan: DialPlan, nowMs: number): number {
    if (this.#driver.enter(dial, plan.table, plan.queue.max)) {
      dial.startedMs = nowMs;
      return QUEUE;
    }
    return this.#pick(dial, plan, 0) ? this.#found(dial, nowMs) : this.#refusal(dial, QUEUE_FULL);
  }

  #leaveQueue(dial: D, nowMs: number): void {
    dial.queuedMs += nowMs - dial.startedMs;
    if (dial.plan !== undefined) this.#driver.leave(dial, dial.plan.table);
  }

  /**
   * Reserves a place with a backend, and says what the pick saw unless the client is to wait.
   * @returns whether a backend can take the client.
   */
  #pick(dial: D, plan: DialPlan, patienceMs: number): boolean {
    const choice = this.#choice;
    choice.waits = false;
    let isFound = false;
    // What cannot be remembered would be picked again, for ever.
    while (!isFound && !dial.tried?.full) {
      const random = this.#random();
      const row = this.#driver.reserve(dial, plan.table, random, choice, patienceMs);
      isFound = row !== NO_ROW && plan.endpoints[row] !== undefined;
      if (row !== NO_ROW && !isFound) {
        // Weighed, but the plan that says where it is has not come yet.
        this.#driver.release(dial, plan.table);
        this.#triedInVain(dial, row);
        continue;
      }
      if (choice.waits) break;
      const draw = drawWord(random);
      const length = takeSnapshot(plan.table, dial.tried, choice, draw, this.#snapshot);
      this.#driver.picked(dial, choice, this.#snapshot, length);
      break;
    }
    return isFound;
  }

  /** @param whenFull how the client is refused where a backend would have taken it if that had had a place. */
  #refusal(dial: D, whenFull?: number): number {
    const { plan, tried } = dial;
    if (
      plan !== undefined && isFed(plan.table) && (whenFull !== undefined || dial.attempts === 0)
    ) {
      countStarved(plan.table.words);
      this.#forgetTried(dial);
      return STARVED;
    }
    const isFull = whenFull !== undefined && plan !== undefined && hasOthers(plan.table, tried);
    this.#forgetTried(dial);
    if (isFull) return whenFull;
    return dial.attempts === 0 ? NO_BACKEND : CONNECT_FAILED;
  }

  #triedInVain(dial: D, row: number): void {
    dial.tried ??= this.#spareTried.pop() ?? new Tried();
    dial.tried.add(row);
  }

  #forgetTried(dial: D): void {
    const { tried } = dial;
    if (tried === null) return;
    dial.tried = null;
    tried.count = 0;
    if (this.#spareTried.length < MAX_TRIES) this.#spareTried.push(tried);
  }
}
