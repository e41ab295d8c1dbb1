// `first` counted what a burst of logins is charged to be dealt out over all backends: with logins coming
// steadily no backend seemed to have room, and the most free was taken instead of the first.

import { assertEquals } from "@std/assert";
import { FreeCores } from "../../lib/core/estimate/free_cores.ts";
import { ACTIVE, PickTable, TOTAL } from "../../lib/core/pick/pick_table.ts";
import { FIRST } from "../../lib/strategy/first.ts";
import { backendAt } from "../support/backends.ts";
import { pickMany } from "../support/tables.ts";
import { weigh } from "../../lib/strategy/weigh.ts";

Deno.test("first fills the first backend while many log in", () => {
  const table = PickTable.allocate(4);
  const taken = new Set<number>();
  for (const _ of [0, 1, 2]) taken.add(table.claim(taken));
  const freeCores = new FreeCores();
  const view = [0, 1, 2].map((row) => ({
    row,
    backend: backendAt(`h${row}`),
    usable: true,
    cores: 64,
    weight: 1,
    load: { load1: 0, takenAtMs: 0 },
  }));
  weigh(FIRST, FIRST, view, table, 0, freeCores);
  for (let second = 1; second <= 40; second++) {
    assertEquals(pickMany(table, 1), [0], `login ${second}`);
    table.add(0, TOTAL, 1);
    table.write(0, ACTIVE, second);
    weigh(FIRST, FIRST, view, table, second * 1000, freeCores);
  }
});
