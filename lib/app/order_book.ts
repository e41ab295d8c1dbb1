// All that administrators have ordered, and where it is kept.

import { type Administration, NO_ADMINISTRATION } from "../core/administration/administration.ts";
import { NO_OVERRIDES, type Overrides } from "../core/administration/override.ts";
import { messageOf } from "../core/values/errors.ts";
import type { Refusal } from "../admin/orders.ts";
import { NO_STORE, type StateStore } from "../admin/state_file.ts";
import type { LogArea } from "../log/setup.ts";
import { refusal } from "./order_target.ts";

export class OrderBook {
  readonly #log: LogArea;
  #store = NO_STORE;
  #administration = NO_ADMINISTRATION;

  constructor(log: LogArea) {
    this.#log = log;
  }

  /** What is ordered now. */
  get administration(): Administration {
    return this.#administration;
  }

  /** Where it is kept; undefined: in memory alone. */
  get keptIn(): string | undefined {
    return this.#store.path;
  }

  overridesOf(pool: string): Overrides {
    return this.#administration.backends.get(pool) ?? NO_OVERRIDES;
  }

  /** Goes on with what was ordered before, and keeps orders there. */
  restore(store: StateStore, administration: Administration): void {
    this.#store = store;
    this.#administration = administration;
  }

  /** Makes this what is ordered, once it is kept; or says why that cannot be, and nothing changes. */
  async keep(next: Administration): Promise<Refusal | undefined> {
    try {
      await this.#store.save(next);
    } catch (error) {
      this.#log.error(`an order was refused: ${messageOf(error)}`);
      return refusal(503, messageOf(error));
    }
    this.#administration = next;
    return undefined;
  }

  /** Goes on with what time has left of the orders. The file says until when each holds, and may stay as it is. */
  forget(left: Administration): void {
    this.#administration = left;
  }

  /** Keeps nothing any more: another process may. */
  close(): void {
    this.#store[Symbol.dispose]();
    this.#store = NO_STORE;
  }
}
