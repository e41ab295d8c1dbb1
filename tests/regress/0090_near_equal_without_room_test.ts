// Where `first` finds no room anywhere, near-equals are drawn by chance: a backend with more cores free than
// the winner was said to have fewer.

import { KERNEL_NAMES } from "../../lib/core/pick/kernels/registry.ts";
import { readSnapshot } from "../../lib/core/pick/snapshot_reader.ts";
import { assertEquals } from "@std/assert";
import { drawWord, SNAPSHOT_WORDS, takeSnapshot } from "../../lib/core/pick/decision_snapshot.ts";
import { Choice, pick } from "../../lib/core/pick/pick_kernels.ts";
import {
  ACTIVE,
  ELIGIBLE,
  FREE_MILLI_CORES,
  NEARLY_EQUAL,
  PickTable,
} from "../../lib/core/pick/pick_table.ts";

Deno.test("first: who is passed over by chance does not have fewer cores free", () => {
  const table = PickTable.allocate(2);
  table.kernel = KERNEL_NAMES.indexOf("first");
  table.words[NEARLY_EQUAL] = 50;
  const taken = new Set<number>();
  for (const free of [-1, 0]) {
    const row = table.claim(taken);
    taken.add(row);
    table.write(row, ELIGIBLE, 1);
    table.write(row, FREE_MILLI_CORES, free);
  }
  const choice = new Choice();
  const words = new Int32Array(SNAPSHOT_WORDS);
  const names = ["a", "b"].map((backend) => ({ backend }));
  const outcomes = new Set<string>();
  for (let draw = 0; draw < 1; draw += 0.1) {
    pick(table, null, draw, choice);
    takeSnapshot(table, null, choice, drawWord(draw), words);
    const { backends } = readSnapshot(words, 0, names);
    outcomes.add(backends.map(({ backend, outcome }) => `${backend} ${outcome}`).join());
    table.write(choice.row, ACTIVE, 0);
  }
  assertEquals([...outcomes].toSorted(), ["a chosen,b near_equal", "b chosen,a less_free"]);
});
