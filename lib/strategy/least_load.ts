// least_load: the backend with the most free cores (cores − load1) gets the session; the lowest index
// wins ties. The rule of the ancestor (go-tcp-balancer), on cached samples instead of a probe per login.

import type { PickTable } from "../core/pick_table.ts";
import type { PoolView, Strategy } from "./strategy.ts";
import { writeRows } from "./write_rows.ts";

export class LeastLoad implements Strategy {
  readonly name = "least_load";
  readonly kernel = "most_free";

  /**
   * Only backends with a load compete while one of them has room: the others stand below every number,
   * for when all those have refused or are full.
   */
  weigh(view: PoolView, table: PickTable): boolean {
    if (!view.some((member) => member.usable && member.load !== undefined)) return false;
    writeRows(view, table, this.kernel);
    return true;
  }
}
