// A backend of weight 256 whose load source names a high cost per session, and on which some sessions had
// just ended, scored more than a word holds: the score wrapped around, and the backend counted as
// overloaded.

import { assertEquals } from "@std/assert";
import { FreeCores } from "../../lib/core/estimate/free_cores.ts";
import { ACTIVE } from "../../lib/core/pick/pick_table.ts";
import { addRow, makeTable, pickMany } from "../support/tables.ts";
import { viewOf } from "../support/views.ts";

Deno.test("the most free backend is the most free, however much is free", () => {
  const table = makeTable("most_free", [{ id: "large", active: 20 }], 2);
  addRow(table, new Set([0]), { id: "small" });
  const both = { cores: 8192, load1: 0, takenAtMs: 1000, usable: true };
  new FreeCores().write(
    viewOf([
      { ...both, row: 0, id: "large", weight: 256, sessionCost: 999.999 },
      { ...both, row: 1, id: "small", cores: 1 },
    ]),
    table,
    1000,
  );
  for (let ended = 0; ended < 20; ended++) {
    assertEquals(pickMany(table, 1), [0], `${ended} sessions have ended`);
    table.add(0, ACTIVE, -2);
  }
});
