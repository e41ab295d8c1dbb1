import { assertAlmostEquals, assertEquals } from "@std/assert";
import { Measure } from "../../../lib/record/replay/measure.ts";
import { Filtered } from "../../../lib/record/replay/outside_load.ts";

Deno.test("a measure tells what sessions found, and how evenly they were dealt out", () => {
  const measure = new Measure(0.5);
  measure.reset(0, 10_000);
  measure.setServer("a", 4, true);
  measure.setServer("b", 12, true);
  measure.setServer("down", 90, false);
  // Eight sessions in one interval: a was owed a quarter of them and got half.
  for (const backend of ["a", "b", "a", "b", "a", "b", "a", "b"]) measure.place(backend);
  const { sessions, freeMean, free95, herdIndex, avoidableOverload } = measure.finish();
  assertEquals([...sessions], [["a", 4], ["b", 4], ["down", 0]]);
  assertAlmostEquals(freeMean, (4 + 3.5 + 3 + 2.5 + 12 + 11.5 + 11 + 10.5) / 8);
  assertEquals(free95, 2.5);
  assertAlmostEquals(herdIndex, 2);
  assertEquals(avoidableOverload, 0);
});

Deno.test("a measure counts overload while another had room", () => {
  const measure = new Measure(1);
  measure.reset(0, 1000);
  measure.setServer("a", 2, true);
  measure.setServer("b", 2, true);
  measure.setOutside("a", 3);
  measure.advance(1000);
  // Both are full now: what a has too much is nobody's fault.
  measure.setOutside("b", 1.5);
  measure.advance(3000);
  measure.retireOthers(new Set(["a"]));
  measure.setOutside("b", 0);
  measure.advance(4000);
  const { avoidableOverload, freeMean, herdIndex } = measure.finish();
  assertAlmostEquals(avoidableOverload, 3 / (3 + 2 * 4.5 + 3));
  assertEquals([freeMean, herdIndex], [NaN, NaN]);
});

Deno.test("a count of sessions is seen as a load average shows it", () => {
  const filtered = new Filtered(2, 0);
  assertEquals(filtered.at(5000), 2);
  filtered.add(3, 10_000);
  assertAlmostEquals(filtered.at(70_000), 2 + 3 * (1 - Math.exp(-1)));
  filtered.add(-5, 70_000);
  assertAlmostEquals(filtered.at(70_000), 2 + 3 * (1 - Math.exp(-1)));
  assertEquals(filtered.count, 0);
});
