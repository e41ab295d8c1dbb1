// least_connections: the backend that holds the fewest tunnels; equals take turns.

import type { PickTable } from "../core/pick/pick_table.ts";
import type { PoolView, Strategy } from "./strategy.ts";
import { writeRows } from "./write_rows.ts";

export class LeastConnections implements Strategy {
  readonly name = "least_connections";
  readonly kernel = "least_connections";

  weigh(view: PoolView, table: PickTable): boolean {
    writeRows(view, table, this.kernel);
    return true;
  }
}
