// "why" gave each backend of least_load its agent's percentage as a weight, which least_load does not heed
// (the load tells it already), and those with weight 0 "weight 0.001", the least that a row can say.

import { assertEquals } from "@std/assert";
import { FreeCores } from "../../lib/core/estimate/free_cores.ts";
import { PickTable, WEIGHT, WEIGHT_UNIT } from "../../lib/core/pick/pick_table.ts";
import { LEAST_LOAD } from "../../lib/strategy/least_load.ts";
import { backendsNamed } from "../support/pools.ts";
import { weigh } from "../../lib/strategy/weigh.ts";

Deno.test("least_load writes the weight that it heeds", () => {
  const table = PickTable.allocate(2);
  const rows = backendsNamed(["a", "b"]).map((backend) => ({
    row: table.claim(new Set(backend.id === "a" ? [] : [0]), 0),
    backend,
    usable: true,
    cores: 8,
    load: { load1: 1, takenAtMs: 0 },
    weight: 0.5,
    loadWeight: backend.id === "a" ? 1 : 2,
    memoryFactor: 1,
  }));
  weigh(LEAST_LOAD, LEAST_LOAD, rows, table, 0, new FreeCores());
  assertEquals(rows.map(({ row }) => table.read(row, WEIGHT) / WEIGHT_UNIT), [1, 2]);
});
