// This worker's clients in the queues of pools (core/dial/pool_queue.ts): in which plans' queues there are any,
// and whose turn it is to look for a place. The worker that has the first client of a queue looks whenever it
// turns, and at least every LOOK_MS, since places come back in other threads as well; the others sleep, and
// are woken when a client of theirs has become the first.
//
// All methods run in the worker.
//
// `!` on array reads: indices are below the list's length.

import { firstInQueue, NOBODY } from "../../core/dial/pool_queue.ts";
import type { PickTable } from "../../core/pick/pick_table.ts";
import { slotOf, workerOf } from "./ledger.ts";
import type { ModeHandler } from "./mode_handler.ts";
import type { Plan } from "./plan.ts";
import type { WakeFds } from "./wake_fds.ts";

/** How soon the first of a queue looks again. */
export const LOOK_MS = 10;
/** How soon a client that waits closes up to the next. */
export const CLOSE_UP_MS = 1000;

export class Queues {
  readonly #worker: number;
  readonly #wakeFds: WakeFds;
  /** Plans by which clients of this worker wait. */
  readonly #plans: Plan[] = [];

  constructor(worker: number, wakeFds: WakeFds) {
    this.#worker = worker;
    this.#wakeFds = wakeFds;
  }

  get empty(): boolean {
    return this.#plans.length === 0;
  }

  /** A client waits by this plan from now on. */
  enter(plan: Plan): void {
    if (plan.queued++ === 0) this.#plans.push(plan);
  }

  /** A client no longer waits by this plan. */
  leave(plan: Plan): void {
    if (--plan.queued === 0) this.#plans.splice(this.#plans.indexOf(plan), 1);
  }

  /** Whoever was the first in a queue has left it: wakes the worker that has the next. */
  pass(table: PickTable): void {
    const who = firstInQueue(table);
    if (who !== NOBODY && workerOf(who) !== this.#worker) this.#wakeFds.wake(workerOf(who));
  }

  /** How long the loop may sleep, at most `limitMs`. */
  sleepMs(limitMs: number): number {
    for (let i = 0; i < this.#plans.length; i++) {
      if (this.#isFirst(firstInQueue(this.#plans[i]!.table))) return Math.min(limitMs, LOOK_MS);
    }
    return limitMs;
  }

  /** Lets those of this worker's clients look for a place that are the first in their queues. */
  look(handler: ModeHandler): void {
    // From the end: a plan that is left meanwhile shifts those behind it.
    for (let i = this.#plans.length - 1; i >= 0; i--) {
      const table = this.#plans[i]?.table;
      if (table === undefined) continue;
      let last = NOBODY;
      for (
        let who = firstInQueue(table);
        who !== last && this.#isFirst(who);
        who = firstInQueue(table)
      ) {
        last = who;
        handler.look(slotOf(who));
      }
    }
  }

  #isFirst(who: number): boolean {
    return who !== NOBODY && workerOf(who) === this.#worker;
  }
}
