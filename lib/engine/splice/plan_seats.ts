// Plans by number. Each pool has one plan in use; older ones keep their seat until the last tunnel that
// was made by them has ended and its records are read.

import type { Address } from "../../core/values/address.ts";
import type { PickTable } from "../../core/pick/pick_table.ts";
import type { PoolPlan } from "../engine.ts";
import type { NamedPlan } from "./events.ts";
import { MAX_PLANS, PLAN_REFERENCES } from "./layout.ts";
import type { PlanSpec, ToWorker } from "./mail.ts";
import { Numbers, type RecordsRead } from "./numbers.ts";

interface Seat extends NamedPlan {
  readonly spec: PlanSpec;
}

export class PlanSeats {
  readonly #references: Int32Array;
  readonly #sockaddr: (address: Address) => Uint8Array<ArrayBuffer> | undefined;
  readonly #poolNumber: (name: string) => number;
  readonly #seats = new Numbers<Seat>();
  readonly #current = new Map<string, number>();

  /**
   * @param engineMemory where workers count the tunnels of each seat.
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
   * @throws {RangeError} when every seat is taken.
   */
  publish(pool: string, plan: PoolPlan): ToWorker | undefined {
    let number = this.#seats.find((seat) => seat.pool === pool && seat.plan === plan);
    if (number >= 0 && this.#current.get(pool) === number) return undefined;
    if (number < 0) {
      number = this.#seats.add((seat) => ({ pool, plan, spec: this.#specOf(seat, pool, plan) }));
    }
    this.#current.set(pool, number);
    const seat = this.#seats.get(number);
    return seat && { kind: "publish", plan: seat.spec };
  }

  withdraw(pool: string): void {
    this.#current.delete(pool);
  }

  named(seat: number): NamedPlan | undefined {
    return this.#seats.get(seat);
  }

  tableOf(seat: number): PickTable | undefined {
    return this.#seats.get(seat)?.plan.table;
  }

  /** Whether a plan with this table is in use or has tunnels left. */
  uses(table: PickTable): boolean {
    return this.#seats.find(({ plan }) => plan.table === table) >= 0;
  }

  /** Pools whose plans are in use or have tunnels left. */
  get pools(): Iterable<string> {
    return [...this.#seats].map(([, { pool }]) => pool);
  }

  /** The plans in use, as messages for a worker that knows none. */
  current(): ToWorker[] {
    return [...this.#current.values()].flatMap((number) => {
      const seat = this.#seats.get(number);
      return seat === undefined ? [] : [{ kind: "publish", plan: seat.spec }];
    });
  }

  /** Forgets plans that nobody uses any more. Workers must have acted on all that was posted. */
  sweep(records: RecordsRead): void {
    const used = new Set(this.#current.values());
    this.#seats.sweep(
      (_, seat) => !used.has(seat) && Atomics.load(this.#references, PLAN_REFERENCES + seat) === 0,
      records,
    );
  }

  #specOf(seat: number, pool: string, plan: PoolPlan): PlanSpec {
    if (seat >= MAX_PLANS) {
      throw new RangeError(`Cannot publish a plan: ${MAX_PLANS} are in use`);
    }
    return {
      seat,
      pool: this.#poolNumber(pool),
      table: plan.table.buffer,
      rows: plan.endpoints.map((endpoint) =>
        endpoint?.addresses.map((address) => this.#sockaddr(address))
      ),
      connectTimeoutMs: plan.connectTimeoutMs,
      connectRetries: plan.connectRetries,
    };
  }
}
