// What two_choices and first are for.

import { assert, assertEquals } from "@std/assert";
import {
  drawWord,
  SNAPSHOT_WORDS,
  takeSnapshot,
} from "../../../../../lib/core/pick/decision_snapshot.ts";
import { readSnapshot } from "../../../../../lib/core/pick/snapshot_reader.ts";
import { Choice, pick, release, Tried } from "../../../../../lib/core/pick/pick_kernels.ts";
import { ACTIVE, ELIGIBLE, type PickTable } from "../../../../../lib/core/pick/pick_table.ts";
import { countRows, makeTable, numbersFrom, pickMany } from "../../../../support/tables.ts";

/** The random number that a snapshot tells of a pick by this one. */
function keptOf(table: PickTable, random: number): number {
  const words = new Int32Array(SNAPSHOT_WORDS);
  takeSnapshot(table, null, new Choice(), drawWord(random), words);
  return readSnapshot(words, 0, []).draw;
}

Deno.test("two_choices: of the two that were drawn the one with more free, and both are told", () => {
  const table = makeTable("two_choices", [{ free: 1000 }, { free: 9000 }, { free: 5000 }]);
  const choice = new Choice();
  const random = numbersFrom(1);
  const pairs = new Set<string>();
  for (let i = 0; i < 300; i++) {
    const row = pick(table, null, random(), choice);
    assert(choice.runnerUp >= 0 && choice.runnerUp !== row);
    assert(choice.free > choice.runnerUpFree, `${choice.free} against ${choice.runnerUpFree}`);
    pairs.add(`${row} ${choice.runnerUp}`);
  }
  // The least free is never the better one, all pairs come up.
  assertEquals([...pairs].sort(), ["1 0", "1 2", "2 0"]);
});

Deno.test("two_choices: without a load, the fewer tunnels for the weight", () => {
  const table = makeTable("two_choices", [{ active: 3 }, { active: 5, weight: 2 }]);
  // 4/1 against 6/2, then 7/2, then 8/2: equal, the first drawn.
  const random = numbersFrom(2);
  assertEquals(pickMany(table, 2, { random }), [1, 1]);
  const mixed = makeTable("two_choices", [{ free: 90_000, active: 9 }, {}]);
  assertEquals(pickMany(mixed, 1, { random }), [1]);
});

Deno.test("two_choices: spreads far better than chance alone", () => {
  const rows = Array.from({ length: 64 }, () => ({}));
  const most = (kernel: "two_choices" | "random") => {
    const table = makeTable(kernel, rows);
    pickMany(table, 64 * 20, { random: numbersFrom(3) });
    return Math.max(...rows.map((_, row) => table.read(row, ACTIVE)));
  };
  // The gap to the mean of 20: ln ln n against some √(mean).
  assert(most("two_choices") <= 23, `${most("two_choices")}`);
  assert(most("random") >= 27, `${most("random")}`);
});

Deno.test("two_choices: pairs are drawn in proportion to weight", () => {
  const table = makeTable("two_choices", [{ weight: 8 }, { weight: 1 }, { weight: 1 }]);
  const drawn = [0, 0, 0];
  const choice = new Choice();
  const random = numbersFrom(4);
  for (let i = 0; i < 2000; i++) {
    const row = pick(table, null, random(), choice);
    for (const one of [row, choice.runnerUp]) drawn[one] = (drawn[one] ?? 0) + 1;
  }
  // The heavy one is missing only where both light ones came: 2 · 1/10 · 1/9 of all pairs.
  assert(Math.abs((drawn[0] ?? 0) - 2000 * (1 - 2 / 90)) < 40, `${drawn}`);
});

Deno.test("two_choices: what a snapshot keeps of a draw draws the same two again", () => {
  const rows = Array.from({ length: 9 }, (_, row) => ({ free: 1000 * row, weight: 1 + row % 3 }));
  const table = makeTable("two_choices", rows);
  const choice = new Choice();
  const random = numbersFrom(6);
  const pairs = new Set<string>();
  for (let i = 0; i < 2000; i++) {
    const draw = random();
    const pair = (again: number) => {
      const row = pick(table, null, again, choice);
      release(table, row, choice.step);
      return `${row} ${choice.runnerUp}`;
    };
    const kept = keptOf(table, draw);
    assertEquals(pair(kept), pair(draw));
    pairs.add(pair(draw));
  }
  assertEquals(pairs.size, 9 * 8 / 2);
});

Deno.test("first: fills by cores in the order of lb.conf, then takes the most free", () => {
  const table = makeTable("first", [
    { free: 2000, cost: 500, order: 1 },
    { free: 1600, cost: 500, order: 0 },
    { free: 900, cost: 500, order: 2 },
  ]);
  // 1.6 ▸ 1.1 ▸ 0.6 ▸ 0.1: three sessions fit before nothing would be left; then 2.0: three; then one.
  assertEquals(pickMany(table, 7), [1, 1, 1, 0, 0, 0, 2]);
  // Left: 0.5, 0.1 and 0.4: nobody has room, the most free is next.
  assertEquals(pickMany(table, 2), [0, 2]);
});

Deno.test("first: max_connections fills, too; without any load it alone does", () => {
  const table = makeTable("first", [{ max: 2 }, { max: 1 }, {}]);
  assertEquals(pickMany(table, 5), [0, 0, 1, 2, 2]);
});

Deno.test("first: a backend without a load comes last while others have one", () => {
  const table = makeTable("first", [{}, { free: 700, cost: 600, max: 2 }]);
  assertEquals(pickMany(table, 3), [1, 1, 0]);
});

Deno.test("first: passes over what is not eligible or was tried", () => {
  const table = makeTable("first", [{ free: 9000 }, { free: 9000 }, { free: 9000 }]);
  table.write(0, ELIGIBLE, 0);
  const tried = new Tried();
  tried.add(1);
  assertEquals(countRows(pickMany(table, 3, { tried }), 3), [0, 0, 3]);
});
