// Plans by number. Each pool has one plan in use; older ones keep their seat until the last tunnel that
// was made by them has ended and its records are read.

import type { Address } from "../../core/address.ts";
import type { PickTable } from "../../core/pick_table.ts";
import type { PoolPlan } from "../engine.ts";
import type { NamedPlan } from "./events.ts";
import { MAX_PLANS, PLAN_REFERENCES } from "./layout.ts";
import type { PlanSpec, ToWorker } from "./mail.ts";

interface Seat extends NamedPlan {
  readonly spec: PlanSpec;
}

export class PlanSeats {
  readonly #references: Int32Array;
  readonly #sockaddr: (address: Address) => Uint8Array<ArrayBuffer> | undefined;
  readonly #poolNumber: (name: string) => number;
  readonly #seats: (Seat | undefined)[] = [];
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
   * @param forgettable tells whether seats without tunnels may be emptied now.
   * @returns the message for the workers; undefined when the pool has this very plan already.
   * @throws {RangeError} when every seat is taken.
   */
  publish(pool: string, plan: PoolPlan, forgettable: () => boolean): ToWorker | undefined {
    const known = this.#seats.findIndex((seat) => seat?.pool === pool && seat.plan === plan);
    if (known >= 0 && this.#current.get(pool) === known) return undefined;
    const seat = known >= 0 ? known : this.#freeSeat(forgettable);
    const spec = this.#seats[seat]?.spec ?? this.#specOf(seat, pool, plan);
    this.#seats[seat] = { pool, plan, spec };
    this.#current.set(pool, seat);
    return { kind: "publish", plan: spec };
  }

  withdraw(pool: string): void {
    this.#current.delete(pool);
  }

  named(seat: number): NamedPlan | undefined {
    return this.#seats[seat];
  }

  tableOf(seat: number): PickTable | undefined {
    return this.#seats[seat]?.plan.table;
  }

  /** The plans in use, as messages for a worker that knows none. */
  current(): ToWorker[] {
    return [...this.#current.values()].flatMap((number) => {
      const seat = this.#seats[number];
      return seat === undefined ? [] : [{ kind: "publish", plan: seat.spec }];
    });
  }

  #freeSeat(forgettable: () => boolean): number {
    const used = new Set(this.#current.values());
    // The order matters: a seat counts as left only if nobody can sit down any more at that moment.
    if (this.#seats.length >= MAX_PLANS / 4 || this.#seats.length > 2 * used.size) {
      if (forgettable()) {
        for (const seat of this.#seats.keys()) {
          const left = Atomics.load(this.#references, PLAN_REFERENCES + seat) === 0;
          if (left && !used.has(seat)) this.#seats[seat] = undefined;
        }
      }
    }
    const gap = this.#seats.indexOf(undefined);
    if (gap >= 0) return gap;
    if (this.#seats.length >= MAX_PLANS) {
      throw new RangeError(`Cannot publish a plan: ${MAX_PLANS} are in use`);
    }
    return this.#seats.length;
  }

  #specOf(seat: number, pool: string, plan: PoolPlan): PlanSpec {
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
