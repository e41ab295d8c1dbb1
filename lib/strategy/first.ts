// first: the first backend in the order of lb.conf that has room; when it is full, the next. What room
// is, core/pick/kernels/first.ts says; free cores are those that least_load estimates.

import { FreeCores } from "../core/estimate/free_cores.ts";
import { LoadEstimator } from "../core/estimate/load_estimate.ts";
import type { PickTable } from "../core/pick/pick_table.ts";
import { loadsOf } from "./loads_of.ts";
import type { PoolView, Strategy } from "./strategy.ts";
import { writePlaces } from "./write_rows.ts";

export class First implements Strategy {
  readonly name = "first";
  readonly kernel = "first";
  /** To fill one after the other is the opposite of dealing a burst out. */
  readonly #freeCores = new FreeCores(new LoadEstimator(), false);

  weigh(view: PoolView, table: PickTable, nowMs: number): boolean {
    this.#freeCores.write(loadsOf(view), table, nowMs);
    writePlaces(view, table, this.kernel);
    return true;
  }
}
