// source_hash: a client's address decides, so that who comes back lands where it was; a backend that
// holds more than its share is passed over.

import type { PickTable } from "../core/pick/pick_table.ts";
import type { PoolView, Strategy } from "./strategy.ts";
import { writeRows } from "./write_rows.ts";

export class SourceHash implements Strategy {
  readonly name = "source_hash";
  readonly kernel = "source_hash";

  weigh(view: PoolView, table: PickTable): boolean {
    writeRows(view, table, this.kernel);
    return true;
  }
}
