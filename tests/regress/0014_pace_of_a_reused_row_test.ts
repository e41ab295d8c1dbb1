// A backend that joined in the row of one that had left was paced for the connections of that other one,
// for as long as `pace.within`.

import { assertEquals } from "@std/assert";
import { NEW_LOGINS, PACE_LIMIT } from "../../lib/core/pick/pick_table.ts";
import { YoungSteps } from "../../lib/core/pick/young.ts";
import { makeTable, pickMany } from "../support/tables.ts";

Deno.test("a row that changes hands begins without young connections, at every step", () => {
  const table = makeTable("most_free", [{ free: 90_000 }, { free: 1000 }]);
  table.words[PACE_LIMIT] = 2;
  const steps = new YoungSteps(table, 0);
  steps.setWithin(10_000);
  assertEquals(pickMany(table, 2), [0, 0]);
  steps.advance(5000);
  assertEquals(pickMany(table, 1), [1]);
  assertEquals(table.claim(new Set([1])), 0);
  for (let second = 5; second < 60; second++) {
    steps.advance(1000 * second);
    assertEquals(table.words[NEW_LOGINS], 1, `second ${second}`);
  }
});
