// least_load: the backend on which most cores will be free gets the session. The load averages are rid
// of their lag, sessions count before the load shows them, and a burst of logins is dealt out by what is
// free (core/estimate/free_cores.ts has the formulas).

import { FreeCores } from "../core/estimate/free_cores.ts";
import type { PickTable } from "../core/pick/pick_table.ts";
import { loadsOf } from "./loads_of.ts";
import type { PoolView, Strategy } from "./strategy.ts";
import { writePlaces } from "./write_rows.ts";

export class LeastLoad implements Strategy {
  readonly name = "least_load";
  readonly kernel = "most_free";
  readonly #freeCores = new FreeCores();

  get burstCost(): number {
    return this.#freeCores.burstCost;
  }

  /**
   * Only backends with a load compete while one of them has room: the others stand below every number,
   * for when all those have refused or are full. Learns from every call; wants one every second.
   */
  weigh(view: PoolView, table: PickTable, nowMs: number): boolean {
    const loads = loadsOf(view);
    if (!view.some((member) => member.usable && member.load !== undefined)) {
      this.#freeCores.observe(loads, table, nowMs);
      return false;
    }
    this.#freeCores.write(loads, table, nowMs);
    // The percentage of an agent is in the load already.
    writePlaces(
      view.map((one) => ({ ...one, weight: one.loadWeight ?? one.weight })),
      table,
      this.kernel,
    );
    return true;
  }
}
