// two_choices: two backends are drawn, and the better one gets the session: by free cores as least_load
// estimates them where the load of both is known, else by sessions.

import { FreeCores } from "../core/estimate/free_cores.ts";
import type { PickTable } from "../core/pick/pick_table.ts";
import { loadsOf } from "./loads_of.ts";
import type { PoolView, Strategy } from "./strategy.ts";
import { writePlaces } from "./write_rows.ts";

export class TwoChoices implements Strategy {
  readonly name = "two_choices";
  readonly kernel = "two_choices";
  readonly #freeCores = new FreeCores();

  get burstCost(): number {
    return this.#freeCores.burstCost;
  }

  weigh(view: PoolView, table: PickTable, nowMs: number): boolean {
    this.#freeCores.write(loadsOf(view), table, nowMs);
    writePlaces(view, table, this.kernel);
    return true;
  }
}
