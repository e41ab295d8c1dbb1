// Plans by number. Each pool has one plan in use; older ones keep their id until the last tunnel that
// was made by them has ended and its records are read. Runs on the control plane.

import type { Address } from "../../core/values/address.ts";
import type { PickTable } from "../../core/pick/pick_table.ts";
import type { PoolPlan } from "../engine.ts";
import type { NamedPlan } from "./events.ts";
import { MAX_PLANS, PLAN_REFERENCES } from "./layout.ts";
import type { PlanSpec, ToWorker } from "./control_messages.ts";
import { Numbers, type RecordsRead } from "./numbers.ts";

interface PlanEntry extends NamedPlan {
  readonly spec: PlanSpec;
}

export class PlanIds {
  readonly #references: Int32Array;
  readonly #sockaddr: (address: Address) => Uint8Array<ArrayBuffer> | undefined;
  readonly #poolNumber: (name: string) => number;
  readonly #entries = new Numbers<PlanEntry>();
  readonly #current = new Map<string, number>();

  /**
   * @param engineMemory where workers count the tunnels of each plan.
   * @param poolNumber by which workers know a pool.
   */
  constructor(
    engineMemory: Int32Array,
    sockaddr: (address: Address) => Uint8Array<ArrayBuffer> | undefined,
    poolNumber: (name: string) => number,
  ) {
    this.#references = engineMemory;
    this.#sockaddr = sockaddr;
    this.#poolNumber = poolNumber;
  }

  /**
   * Makes a plan its pool's own.
   * @returns the message for the workers; undefined when the pool has this very plan already.
   * @throws {RangeError} when every id is taken.
   */
  publish(pool: string, plan: PoolPlan): ToWorker | undefined {
    let number = this.#entries.find((entry) => entry.pool === pool && entry.plan === plan);
    if (number >= 0 && this.#current.get(pool) === number) return undefined;
    if (number < 0) {
      number = this.#entries.add((planId) => ({
        pool,
        plan,
        spec: this.#specOf(planId, pool, plan),
      }));
    }
    this.#current.set(pool, number);
    const entry = this.#entries.get(number);
    return entry && { kind: "publish", plan: entry.spec };
  }

  withdraw(pool: string): void {
    this.#current.delete(pool);
  }

  named(planId: number): NamedPlan | undefined {
    return this.#entries.get(planId);
  }

  tableOf(planId: number): PickTable | undefined {
    return this.#entries.get(planId)?.plan.table;
  }

  /** Whether a plan with this table is in use or has tunnels left. */
  uses(table: PickTable): boolean {
    return this.#entries.find(({ plan }) => plan.table === table) >= 0;
  }

  /** Pools whose plans are in use or have tunnels left. */
  get pools(): Iterable<string> {
    return [...this.#entries].map(([, { pool }]) => pool);
  }

  /** The plans in use, as messages for a worker that knows none. */
  current(): ToWorker[] {
    return [...this.#current.values()].flatMap((number) => {
      const entry = this.#entries.get(number);
      return entry === undefined ? [] : [{ kind: "publish", plan: entry.spec }];
    });
  }

  /** Forgets plans that nobody uses any more. Workers must have acted on all that was posted. */
  sweep(records: RecordsRead): void {
    const used = new Set(this.#current.values());
    this.#entries.sweep(
      (_, planId) =>
        !used.has(planId) && Atomics.load(this.#references, PLAN_REFERENCES + planId) === 0,
      records,
    );
  }

  #specOf(planId: number, pool: string, plan: PoolPlan): PlanSpec {
    if (planId >= MAX_PLANS) {
      throw new RangeError(`Cannot publish a plan: ${MAX_PLANS} are in use`);
    }
    return {
      id: planId,
      pool: this.#poolNumber(pool),
      table: plan.table.buffer,
      rows: plan.endpoints.map((endpoint) =>
        endpoint?.addresses.map((address) => this.#sockaddr(address))
      ),
      connectTimeoutMs: plan.connectTimeoutMs,
      connectRetries: plan.connectRetries,
      queue: plan.queue,
      ...(plan.sendProxy === undefined ? {} : { sendProxy: plan.sendProxy }),
    };
  }
}
