import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { didYouMean, editDistance, nearest } from "../../../../lib/core/values/nearest.ts";

Deno.test("editDistance() counts inserts, deletes, replacements and swaps", () => {
  assertEquals(editDistance("strategy", "strategy"), 0);
  assertEquals(editDistance("stratgy", "strategy"), 1);
  assertEquals(editDistance("strtaegy", "strategy"), 1);
  assertEquals(editDistance("", "abc"), 3);
  assertEquals(editDistance("kitten", "sitting"), 3);
});

Deno.test("editDistance() is symmetric and bounded by the longer word", () => {
  fc.assert(fc.property(fc.string(), fc.string(), (one, other) => {
    const distance = editDistance(one, other);
    assertEquals(distance, editDistance(other, one));
    assert(distance >= Math.abs(one.length - other.length));
    assert(distance <= Math.max(one.length, other.length));
    assertEquals(distance === 0, one === other);
  }));
});

Deno.test("editDistance() may stop at a distance that is enough", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 9 });
  fc.assert(fc.property(word, word, fc.integer({ min: 1, max: 9 }), (one, other, enough) => {
    const distance = editDistance(one, other);
    const found = editDistance(one, other, enough);
    if (distance < enough) assertEquals(found, distance);
    else assert(found >= enough);
  }));
});

Deno.test("nearest() finds near words only", () => {
  const words = ["least_load", "round_robin", "random"];
  assertEquals(nearest("leastload", words), "least_load");
  assertEquals(nearest("RANDOM", words), "random");
  assertEquals(nearest("weighted", words), undefined);
  assertEquals(nearest("", words), undefined);
  assertEquals(nearest("x".repeat(1_000_000), words), undefined);
});

Deno.test("didYouMean() is empty when nothing is near", () => {
  assertEquals(didYouMean("rnadom", ["random"]), 'did you mean "random"?');
  assertEquals(didYouMean("xyz", ["random"]), "");
});
