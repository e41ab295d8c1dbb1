import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { RiseFall } from "../../../../lib/core/pool/rise_fall.ts";

Deno.test("RiseFall settles on the very first result", () => {
  for (const passed of [true, false]) {
    const health = new RiseFall(3, 3);
    assertEquals(health.observe(passed), "changed");
    assertEquals(health.state, passed ? "up" : "down");
  }
});

Deno.test("RiseFall goes down after fall failures in a row, up after rise passes in a row", () => {
  const health = new RiseFall(2, 3);
  health.observe(true);
  assertEquals([false, false, false].map((passed) => health.observe(passed)), [
    "pending",
    "pending",
    "changed",
  ]);
  assertEquals(health.state, "down");
  assertEquals([true, true].map((passed) => health.observe(passed)), ["pending", "changed"]);
  assertEquals(health.state, "up");
});

Deno.test("RiseFall resets the failure streak on a pass", () => {
  const health = new RiseFall(1, 2);
  health.observe(true);
  for (let i = 0; i < 10; i++) {
    assertEquals(health.observe(false), "pending");
    assertEquals(health.observe(true), "unchanged");
  }
  assertEquals(health.state, "up");
});

Deno.test("RiseFall rejects thresholds below 1", () => {
  for (const bad of [0, -1, 1.5, NaN]) {
    assertThrows(() => new RiseFall(bad, 1), RangeError);
    assertThrows(() => new RiseFall(1, bad), RangeError);
  }
});

Deno.test("RiseFall flips exactly when the last results in a row say so", () => {
  const results = fc.array(fc.boolean(), { minLength: 1, maxLength: 60 });
  const threshold = fc.integer({ min: 1, max: 5 });
  fc.assert(fc.property(results, threshold, threshold, (all, rise, fall) => {
    const health = new RiseFall(rise, fall);
    let expected = all[0];
    for (const [index, passed] of all.entries()) {
      health.observe(passed);
      const needed = passed ? rise : fall;
      const last = all.slice(Math.max(0, index + 1 - needed), index + 1);
      if (last.length === needed && last.every((result) => result === passed)) expected = passed;
      assertEquals(health.state, expected ? "up" : "down");
    }
  }));
});
