// What weights do in the kernels that compare or draw.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { FreeCores } from "../../../../../lib/core/estimate/free_cores.ts";
import { Choice, pick } from "../../../../../lib/core/pick/pick_kernels.ts";
import { ACTIVE, NEARLY_EQUAL } from "../../../../../lib/core/pick/pick_table.ts";
import {
  countRows,
  makeTable,
  numbersFrom,
  pickMany,
  setWeights,
} from "../../../../support/tables.ts";
import { viewOf } from "../../../../support/views.ts";

Deno.test("least_connections: tunnels stand in proportion to weights", () => {
  const weights = fc.array(fc.integer({ min: 1, max: 256 }), { minLength: 1, maxLength: 8 });
  fc.assert(fc.property(weights, fc.integer({ min: 1, max: 400 }), (weights, count) => {
    const table = makeTable("least_connections", weights.map((weight) => ({ weight })));
    pickMany(table, count);
    const perWeight = weights.map((weight, row) => table.read(row, ACTIVE) / weight);
    // Nobody got a tunnel that would have weighed less elsewhere.
    weights.forEach((weight, row) => {
      weights.forEach((other, next) => {
        const there = (table.read(next, ACTIVE) + 1) / other;
        assert((perWeight[row] ?? 0) <= there + 1e-9, `${weight} ${other} ${perWeight}`);
      });
    });
  }));
});

Deno.test("least_connections: equals of any weight take turns, and millions are compared exactly", () => {
  const table = makeTable("least_connections", [{ weight: 256 }, { weight: 256 }]);
  assertEquals(pickMany(table, 4), [0, 1, 0, 1]);
  const large = makeTable("least_connections", [
    { weight: 256, active: 999_998 },
    { weight: 255.999, active: 999_994 },
  ]);
  // 999999 · 255.999 = 255998744.001 against 999995 · 256 = 255998720: 1 part in 10^7 less.
  assertEquals(pickMany(large, 1), [1]);
});

Deno.test("random: draws fall in proportion to weights", () => {
  const weights = [1, 2.5, 0.5, 6];
  const table = makeTable("random", weights.map((weight) => ({ weight })));
  const draws = 1000;
  let draw = 0;
  const counts = countRows(pickMany(table, draws, { random: () => draw++ / draws }), 4);
  assertEquals(counts, [100, 250, 50, 600]);
});

Deno.test("least_load: a weight multiplies what is free and divides what is lacking", () => {
  const backends = [8, 8, 8].map((cores, row) => ({
    row,
    id: `b${row}`,
    cores,
    load1: row === 2 ? 7 : 4,
    takenAtMs: 0,
    usable: true,
  }));
  const weighed = (weights: readonly number[], load1?: number) => {
    const table = makeTable("most_free", [{}, {}, {}]);
    const loads = backends.map((backend, row) => ({
      ...backend,
      weight: weights[row] ?? 1,
      ...(load1 === undefined ? {} : { load1: load1 + row }),
    }));
    new FreeCores().write(viewOf(loads), table, 0);
    table.words[NEARLY_EQUAL] = 0;
    return pick(table, null, 0, new Choice());
  };
  assertEquals(weighed([1, 1, 1]), 0);
  assertEquals(weighed([1, 1.1, 1]), 1);
  assertEquals(weighed([1, 1, 5]), 2);
  // Where nobody has a core free: 4, 5 and 6 cores short of 8.
  assertEquals(weighed([1, 1, 1], 12), 0);
  assertEquals(weighed([1, 2, 1], 12), 1);
  assertEquals(weighed([1, 1, 256], 12), 2);
});

Deno.test("no kernel sends much to a backend that hardly weighs anything", () => {
  for (const kernel of ["rotation", "least_connections", "random", "two_choices"] as const) {
    const table = makeTable(kernel, [{ weight: 0.01 }, { weight: 1 }]);
    const picked = pickMany(table, 500, { random: numbersFrom(7) });
    const [few = 0] = countRows(picked, 2);
    // Of two, two_choices always draws both and goes by tunnels ÷ weight.
    assert(few <= 15, `${kernel}: ${few}`);
    setWeights(table, [1, 1]);
    const [more = 0] = countRows(pickMany(table, 100, { random: numbersFrom(8) }), 2);
    assert(more >= 30, `${kernel}: ${more}`);
  }
});
