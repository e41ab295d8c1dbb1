// round_robin: backends take turns, starting at the first.

import type { PickTable } from "../core/pick/pick_table.ts";
import type { PoolView, Strategy } from "./strategy.ts";
import { writeRows } from "./write_rows.ts";

export class RoundRobin implements Strategy {
  readonly name = "round_robin";
  readonly kernel = "rotation";

  weigh(view: PoolView, table: PickTable): boolean {
    writeRows(view, table, this.kernel);
    return true;
  }
}
