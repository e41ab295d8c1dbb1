// Medians, spreads, ratios and numbers as the benches' table shows them.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  difference,
  formatNumber,
  median,
  pairedRatio,
  spreadOf,
} from "../../bench/data_plane/statistics.ts";

const VALUE = fc.double({ min: -1e9, max: 1e9, noNaN: true });

Deno.test("the median is the middle, or the mean of the two in the middle", () => {
  assertEquals(median([]), undefined);
  assertEquals(median([7]), 7);
  assertEquals(median([9, 1, 5]), 5);
  assertEquals(median([4, 1, 100, 2]), 3);
});

Deno.test("as many values stand below the median as above it, in whatever order they came", () => {
  fc.assert(fc.property(fc.array(VALUE, { minLength: 1, maxLength: 30 }), (values) => {
    const middle = median(values) ?? NaN;
    const below = values.filter((value) => value < middle).length;
    const above = values.filter((value) => value > middle).length;
    assert(below <= values.length / 2 && above <= values.length / 2, `${middle} of ${values}`);
    assertEquals(median(values.toReversed()), middle);
  }));
});

Deno.test("a spread leaves out rounds that measured nothing", () => {
  assertEquals(spreadOf([]), undefined);
  assertEquals(spreadOf([undefined, undefined]), undefined);
  assertEquals(spreadOf([3, undefined, 1, 2]), { median: 2, min: 1, max: 3 });
});

Deno.test("a paired ratio compares within rounds, so that a slow round counts for neither", () => {
  // In the second round the machine was busy with something else.
  assertEquals(pairedRatio([10, 1, 11], [8, 0.8, 10]), 1.25);
  assertEquals(pairedRatio([10, 50, 200], [20, 40, 30]), 1.25);
});

Deno.test("a paired ratio leaves out rounds that lack one of the two or have nothing to divide", () => {
  assertEquals(pairedRatio([10, undefined, 30, 40], [5, 1, undefined]), 2);
  assertEquals(pairedRatio([10, 10, 10], [0, -1, 5]), 2);
  assertEquals(pairedRatio([-10, 0], [5, 5]), undefined);
  assertEquals(pairedRatio([], []), undefined);
});

Deno.test("the ratios of a rival to us are the inverse of ours to it", () => {
  const positive = fc.double({ min: 0.001, max: 1e6, noNaN: true });
  // Of an odd number of rounds: the mean of two ratios is not the inverse of the inverses' mean.
  const rounds = fc.integer({ min: 0, max: 4 }).chain((half) =>
    fc.array(fc.tuple(positive, positive), { minLength: 2 * half + 1, maxLength: 2 * half + 1 })
  );
  fc.assert(fc.property(rounds, (pairs) => {
    const ours = pairs.map(([mine]) => mine);
    const rival = pairs.map(([, other]) => other);
    const product = (pairedRatio(ours, rival) ?? NaN) * (pairedRatio(rival, ours) ?? NaN);
    assert(Math.abs(product - 1) < 1e-9, `the product is ${product}`);
  }));
});

Deno.test("a difference is taken round by round", () => {
  assertEquals(difference([5, 7, undefined, 9], [1, undefined, 3, 10]), [
    4,
    undefined,
    undefined,
    -1,
  ]);
});

Deno.test("numbers keep three digits that count", () => {
  const cases: readonly [number, string][] = [
    [0, "0.00"],
    [0.0421, "0.042"],
    [0.99949, "0.999"],
    [0.9996, "1.00"],
    [1.234, "1.23"],
    [9.996, "10.0"],
    [12.34, "12.3"],
    [99.96, "100"],
    [512.7, "513"],
    [999.6, "1,000"],
    [4_321.9, "4,322"],
    [9_995, "10.0k"],
    [13_672, "13.7k"],
    [999_499, "999k"],
    [999_500, "1.00M"],
    [-12.34, "-12.3"],
  ];
  for (const [value, text] of cases) assertEquals(formatNumber(value), text);
});
