import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Choice, pick, release, Tried } from "../../../../../lib/core/pick/pick_kernels.ts";
import { ELIGIBLE, PASS, VIRTUAL_TIME } from "../../../../../lib/core/pick/pick_table.ts";
import { addRow, countRows, makeTable, pickMany, setWeights } from "../../../../support/tables.ts";

function rotationOf(...weights: number[]) {
  return makeTable("rotation", weights.map((weight) => ({ weight })), 16);
}

Deno.test("rotation: weights 5, 1, 1 are spread as smoothly as can be", () => {
  const round = [0, 0, 1, 0, 2, 0, 0];
  assertEquals(pickMany(rotationOf(5, 1, 1), 21), [...round, ...round, ...round]);
});

Deno.test("rotation: equal weights go in a circle, whatever the weight", () => {
  assertEquals(pickMany(rotationOf(3, 3, 3), 7), [0, 1, 2, 0, 1, 2, 0]);
});

Deno.test("rotation: each gets its share of every whole round, and never strays from it far", () => {
  const weights = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 7 });
  fc.assert(fc.property(weights, fc.integer({ min: 1, max: 4 }), (weights, rounds) => {
    const sum = weights.reduce((total, weight) => total + weight, 0);
    const picked = pickMany(rotationOf(...weights), rounds * sum);
    assertEquals(countRows(picked, weights.length), weights.map((weight) => rounds * weight));
    const counts = weights.map(() => 0);
    picked.forEach((row, index) => {
      counts[row] = (counts[row] ?? 0) + 1;
      weights.forEach((weight, other) => {
        const due = (index + 1) * weight / sum;
        assert(Math.abs((counts[other] ?? 0) - due) < 2, `${counts} after ${index + 1} picks`);
      });
    });
  }));
});

Deno.test("rotation: virtual time may wrap around", () => {
  const table = rotationOf(5, 1, 1);
  for (let row = 0; row < 3; row++) table.write(row, PASS, 0x7fff_f000);
  table.words[VIRTUAL_TIME] = 0x7fff_f000;
  assertEquals(pickMany(table, 14), [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
});

Deno.test("rotation: who joins or comes back gets its share and no flood", () => {
  const table = rotationOf(3, 2);
  pickMany(table, 1000);
  const joined = addRow(table, new Set([0, 1]));
  setWeights(table, [3, 2, 5]);
  const afterJoin = countRows(pickMany(table, 10), 3);
  assert(Math.abs((afterJoin[joined] ?? 0) - 5) <= 1, `${afterJoin}`);
  table.write(0, ELIGIBLE, 0);
  pickMany(table, 1000);
  table.write(0, ELIGIBLE, 1);
  const afterReturn = countRows(pickMany(table, 10), 3);
  assert(Math.abs((afterReturn[0] ?? 0) - 3) <= 1, `${afterReturn}`);
});

Deno.test("rotation: a full backend that has room again gets no flood", () => {
  const table = makeTable("rotation", [{ weight: 3, max: 10 }, { weight: 1 }]);
  assertEquals(countRows(pickMany(table, 500), 2), [10, 490]);
  for (let i = 0; i < 10; i++) release(table, 0, 0);
  const after = countRows(pickMany(table, 8), 2);
  assert(Math.abs((after[0] ?? 0) - 6) <= 1, `${after}`);
});

Deno.test("rotation: new weights hold at once", () => {
  const weight = fc.integer({ min: 1, max: 256_000 }).map((thousandths) => thousandths / 1000);
  fc.assert(
    fc.property(fc.tuple(weight, weight), fc.integer({ min: 0, max: 300 }), ([a, b], before) => {
      const table = rotationOf(a, b);
      pickMany(table, before);
      setWeights(table, [1, 3]);
      const counts = countRows(pickMany(table, 40), 2);
      assert(Math.abs((counts[0] ?? 0) - 10) <= 3, `${counts}`);
    }),
  );
});

Deno.test("rotation: a client that tries again gets the next, others keep their turns", () => {
  const table = rotationOf(5, 1, 1);
  const tried = new Tried();
  const choice = new Choice();
  const order = [0, 1, 2].map(() => {
    const row = pick(table, tried, 0, choice);
    tried.add(row);
    return row;
  });
  assertEquals([...order].sort(), [0, 1, 2]);
  assertEquals(pick(table, tried, 0, choice), -1);
});
