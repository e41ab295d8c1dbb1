// random: any backend, as often as its weight says.

import type { PickTable } from "../core/pick/pick_table.ts";
import type { PoolView, Strategy } from "./strategy.ts";
import { writeRows } from "./write_rows.ts";

export class RandomChoice implements Strategy {
  readonly name = "random";
  readonly kernel = "random";

  weigh(view: PoolView, table: PickTable): boolean {
    writeRows(view, table, this.kernel);
    return true;
  }
}
