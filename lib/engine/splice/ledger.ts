// What clients hold: a place in their frontend's, their address's and their worker's count, a reference to their
// plan, a place in a row of the PickTable or in its queue, a share in the lack of descriptors. Only this file changes them, for
// clients that come, go, are handed over, and for those of a dead worker. The tunnel's record says what its
// client holds, so that whoever ends a client can give back exactly that.
//
// All methods run in the worker whose number the ledger has, or, after its death, on the control plane.
//
// `!` on typed-array reads: bases belong to tunnels of this table, numbers to workers of this engine.

import { HELD, type SourceLimits, type SourceTable } from "../../core/admission/source_table.ts";
import { closeUp, enterQueue, leaveQueue, NO_ROOM } from "../../core/dial/pool_queue.ts";
import type { Choice, Tried } from "../../core/pick/choice.ts";
import { countTunnel, endTunnel, pick, release } from "../../core/pick/pick_kernels.ts";
import type { PickTable } from "../../core/pick/pick_table.ts";
import { Source } from "../../core/pick/source.ts";
import {
  CLIENT_ADDRESS,
  CONNECTING,
  ERRNO,
  FRONTEND,
  FRONTEND_ACTIVE,
  OPEN,
  OUT_OF_DESCRIPTORS,
  PLAN,
  PLAN_REFERENCES,
  QUEUED,
  ROW,
  SOURCE_PLACE,
  STATE,
  STEP,
  TICKET,
  TUNNEL_WORDS,
  WAITING,
  WORKER_LOAD,
} from "./layout.ts";
import { EAGAIN } from "./libc.ts";
import { readSource } from "./sockaddr.ts";

/** PLAN and ROW of a client that has none. */
export const NONE = -1;
/** More than a worker has tunnels: a queue knows clients by worker and slot. */
const SLOTS = 1 << 22;

/** The worker of a client that a queue names. */
export function workerOf(who: number): number {
  return Math.floor(who / SLOTS);
}

/** The slot of a client that a queue names. */
export function slotOf(who: number): number {
  return who % SLOTS;
}

export class Ledger {
  readonly #words: Int32Array;
  readonly #engine: Int32Array;
  readonly #sources: SourceTable;
  readonly #worker: number;
  readonly #source = new Source();

  /**
   * @param words the worker's tunnels.
   * @param engine the words that all workers share.
   * @param sources the same of what is known of clients' addresses.
   */
  constructor(words: Int32Array, engine: Int32Array, sources: SourceTable, worker: number) {
    this.#words = words;
    this.#engine = engine;
    this.#sources = sources;
    this.#worker = worker;
  }

  /** Tells whether a client of any worker waits for want of descriptors or memory. */
  get outOfDescriptors(): boolean {
    return Atomics.load(this.#engine, OUT_OF_DESCRIPTORS) > 0;
  }

  /** Counts a client of a frontend that may have `most`, 0: any number. @returns false when it has them. */
  enter(frontend: number, most: number): boolean {
    const at = FRONTEND_ACTIVE + frontend;
    // Never one too many, not even for an instant: another worker would take the frontend for full.
    for (;;) {
      const active = Atomics.load(this.#engine, at);
      if (most > 0 && active >= most) return false;
      if (Atomics.compareExchange(this.#engine, at, active, active + 1) === active) return true;
    }
  }

  /** Tells whether a frontend that may have `most` clients, 0: any number, can have another. */
  hasRoom(frontend: number, most: number): boolean {
    return most === 0 || Atomics.load(this.#engine, FRONTEND_ACTIVE + frontend) < most;
  }

  /**
   * Asks the limits of its address for a client, who may get a place there.
   * @param at where in `address` its sockaddr begins.
   * @returns what SourceTable.enter does; HELD: `leaveSource` must follow, or SOURCE_PLACE be 1.
   */
  enterSource(
    frontend: number,
    address: Int32Array,
    at: number,
    limits: SourceLimits,
    nowMs: number,
  ): number {
    readSource(address, at, this.#source);
    return this.#sources.enter(frontend, this.#source, limits, nowMs);
  }

  /** Takes back the place that {@linkcode Ledger.enterSource} has given to a client without a record. */
  leaveSource(frontend: number, address: Int32Array, at: number): void {
    readSource(address, at, this.#source);
    this.#sources.leave(frontend, this.#source);
  }

  /** Counts a client that came before its frontend had limits for addresses, unless it is counted. */
  holdSource(base: number): void {
    const words = this.#words;
    if (words[base + SOURCE_PLACE] !== 0) return;
    readSource(words, base + CLIENT_ADDRESS, this.#source);
    const isHeld = this.#sources.hold(words[base + FRONTEND]!, this.#source) === HELD;
    words[base + SOURCE_PLACE] = isHeld ? 1 : 0;
  }

  /** Takes back {@linkcode Ledger.enter} for a client that no worker was given. */
  leave(frontend: number): void {
    Atomics.sub(this.#engine, FRONTEND_ACTIVE + frontend, 1);
  }

  /** Counts a client for a worker: this one, or the one that it will be handed to. */
  assign(worker: number): void {
    Atomics.add(this.#engine, WORKER_LOAD + worker, 1);
  }

  /** The worker that a client was meant for cannot have it: this one keeps it. */
  keep(worker: number): void {
    Atomics.sub(this.#engine, WORKER_LOAD + worker, 1);
    Atomics.add(this.#engine, WORKER_LOAD + this.#worker, 1);
  }

  /** A client of this worker goes; what a plan has given it is given back already. */
  dismissClient(base: number): void {
    const words = this.#words;
    if (words[base + SOURCE_PLACE] !== 0) {
      words[base + SOURCE_PLACE] = 0;
      this.leaveSource(words[base + FRONTEND]!, words, base + CLIENT_ADDRESS);
    }
    this.dismiss(words[base + FRONTEND]!);
  }

  /** The same of one without a record. */
  dismiss(frontend: number): void {
    this.leave(frontend);
    Atomics.sub(this.#engine, WORKER_LOAD + this.#worker, 1);
  }

  /**
   * Who is to have the next client: this worker, unless another has clearly less to do. The more there
   * are, the more of a difference is let pass, since handing over costs a wake-up.
   */
  leastBusy(workers: number): number {
    const own = Atomics.load(this.#engine, WORKER_LOAD + this.#worker);
    let target = this.#worker;
    let least = own - (own >> 3);
    for (let i = 0; i < workers; i++) {
      const load = Atomics.load(this.#engine, WORKER_LOAD + i);
      if (load >= least) continue;
      least = load;
      target = i;
    }
    return target;
  }

  /** A client goes by a plan from now on. */
  enterPlan(base: number, plan: number): void {
    this.#words[base + PLAN] = plan;
    Atomics.add(this.#engine, PLAN_REFERENCES + plan, 1);
  }

  /**
   * A client no longer goes by its plan, if it has one. Comes after the record of its end: while the plan is
   * in use, the names that the record's numbers stand for stay theirs.
   */
  leavePlan(base: number): void {
    const plan = this.#words[base + PLAN]!;
    if (plan === NONE) return;
    this.#words[base + PLAN] = NONE;
    Atomics.sub(this.#engine, PLAN_REFERENCES + plan, 1);
  }

  /** Picks a row for a client and reserves a place in it. @returns the row, or NONE. */
  reserve(
    base: number,
    table: PickTable,
    tried: Tried | null,
    random: number,
    choice: Choice,
    patienceMs: number,
  ): number {
    readSource(this.#words, base + CLIENT_ADDRESS, this.#source);
    const row = pick(table, tried, random, choice, this.#source, patienceMs);
    this.#words[base + ROW] = row;
    this.#words[base + STEP] = choice.step;
    return row;
  }

  /** Gives back the place of a client that has no tunnel, if it has one. */
  release(base: number, table: PickTable): void {
    const row = this.#words[base + ROW]!;
    if (row === NONE) return;
    this.#words[base + ROW] = NONE;
    release(table, row, this.#words[base + STEP]!);
  }

  /** A client's place holds a tunnel from now on. */
  open(base: number, table: PickTable): void {
    readSource(this.#words, base + CLIENT_ADDRESS, this.#source);
    countTunnel(table, this.#words[base + ROW]!, this.#source);
  }

  /** A tunnel gives back its place; its record keeps ROW, which the record of its end names. */
  end(base: number, table: PickTable): void {
    readSource(this.#words, base + CLIENT_ADDRESS, this.#source);
    endTunnel(table, this.#words[base + ROW]!, this.#source, this.#words[base + STEP]!);
  }

  /** Puts a client at the end of a table's queue. @returns false: `max` wait already. */
  enterQueue(base: number, table: PickTable, max: number): boolean {
    const who = this.#worker * SLOTS + base / TUNNEL_WORDS;
    const ticket = enterQueue(table, who, max);
    if (ticket === NO_ROOM) return false;
    this.#words[base + TICKET] = ticket;
    this.#words[base + STATE] = QUEUED;
    return true;
  }

  /** A client in a queue keeps no more room there than it needs. */
  closeUp(base: number, table: PickTable): void {
    this.#words[base + TICKET] = closeUp(table, this.#words[base + TICKET]!);
  }

  /** A client leaves the queue. @returns whether another is the first in it now, or none is left. */
  leaveQueue(base: number, table: PickTable): boolean {
    this.#words[base + STATE] = CONNECTING;
    return leaveQueue(table, this.#words[base + TICKET]!);
  }

  /** A client's attempt to connect begins, whatever it has waited for. */
  connect(base: number): void {
    if (waitsForDescriptor(this.#words, base)) Atomics.sub(this.#engine, OUT_OF_DESCRIPTORS, 1);
    this.#words[base + STATE] = CONNECTING;
    this.#words[base + ERRNO] = 0;
  }

  /** A client waits because a call failed with this errno. */
  wait(base: number, errno: number): void {
    this.#words[base + STATE] = WAITING;
    this.#words[base + ERRNO] = errno;
    if (waitsForDescriptor(this.#words, base)) Atomics.add(this.#engine, OUT_OF_DESCRIPTORS, 1);
  }

  /**
   * Gives back the places of a dead worker's client, in the table and among those that wait.
   * @param table of the client's plan; undefined when it goes by none.
   */
  reclaimPlace(base: number, table: PickTable | undefined): void {
    if (waitsForDescriptor(this.#words, base)) Atomics.sub(this.#engine, OUT_OF_DESCRIPTORS, 1);
    if (table === undefined) return;
    if (this.#words[base + STATE] === QUEUED) this.leaveQueue(base, table);
    if (this.#words[base + STATE] === OPEN) this.end(base, table);
    else this.release(base, table);
  }

  /** Gives back what is left to a dead worker's client. Comes after the record of its end. */
  reclaimClient(base: number): void {
    this.leavePlan(base);
    this.dismissClient(base);
  }
}

/** Tells whether a tunnel waits for want of descriptors or memory, and not for a unix socket's backlog. */
export function waitsForDescriptor(words: Int32Array, base: number): boolean {
  const errno = words[base + ERRNO]!;
  return words[base + STATE] === WAITING && errno !== EAGAIN && errno !== 0;
}
