// Where all backends were given far more connections than any sshd takes, one that came back was given the
// next 32 of them in a row, whatever its weight: pacing looked for the one with the fewest.

import { assert } from "@std/assert";
import { PACE_LIMIT } from "../../lib/core/pick/pick_table.ts";
import { addRow, countRows, makeTable, pickMany, setWeights } from "../support/tables.ts";

Deno.test("a backend that comes back slowly is not given a burst for pacing", () => {
  const table = makeTable("rotation", [{}, {}, {}, {}], 8);
  table.words[PACE_LIMIT] = 8;
  pickMany(table, 400);
  // 10 % of a share: slow start's first.
  addRow(table, new Set([0, 1, 2, 3]));
  setWeights(table, [1, 1, 1, 1, 0.1]);
  const [, , , , slow = 0] = countRows(pickMany(table, 41), 5);
  assert(slow <= 2, `${slow} of 41 connections`);
});
