// A backend that joined in the row of one that had left was paced for the connections of that other one,
// for as long as `pace.within`.

import { assertEquals } from "@std/assert";
import { PACE_STEPS, Pacer } from "../../lib/core/pace.ts";
import { PACE_BASE, PACE_LIMIT, STARTED } from "../../lib/core/pick_table.ts";
import { makeTable, pickMany } from "../support/tables.ts";

Deno.test("a row that changes hands begins with nothing lately, at every step", () => {
  const table = makeTable("most_free", [{ free: 90_000 }, { free: 1000 }]);
  table.words[PACE_LIMIT] = 2;
  // Near the end, so that the counts wrap around.
  for (const word of [STARTED, PACE_BASE]) table.write(0, word, 0x7fff_ffff);
  const pacer = new Pacer(table);
  for (let step = 0; step <= PACE_STEPS; step++) pacer.step();
  assertEquals(pickMany(table, 3), [0, 0, 1]);
  assertEquals(table.claim(new Set([1])), 0);
  for (let step = 0; step <= 2 * PACE_STEPS; step++) {
    assertEquals(table.read(0, STARTED) - table.read(0, PACE_BASE), 0, `step ${step}`);
    pacer.step();
  }
});
