import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { clip, deepWithoutControls, paint, RED, withoutControls } from "../../../lib/cli/output.ts";

Deno.test("withoutControls() leaves nothing that a terminal obeys", () => {
  assertEquals(withoutControls("a\x1b[2Jb\x07\x9b\x7f\n\u202ec\u2028d"), "a?[2Jb????" + "?c?d");
  assertEquals(withoutControls("Zuse's Rechner, größer 計算"), "Zuse's Rechner, größer 計算");
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assert(!/[\p{Cc}\u202a-\u202e]/u.test(withoutControls(text)));
  }));
});

Deno.test("deepWithoutControls() reaches every text and leaves the rest", () => {
  assertEquals(
    deepWithoutControls({ a: ["\x1b", 1, null, true], "k\n": { b: "x\x9by" } }),
    { a: ["?", 1, null, true], "k?": { b: "x?y" } },
  );
});

Deno.test("clip() counts what is seen and closes every colour", () => {
  assertEquals(clip("abcdef", 4), "abcd");
  assertEquals(clip("abcdef", undefined), "abcdef");
  assertEquals(clip(`ab${paint("cdef", RED, true)}gh`, 4), `ab${paint("cd", RED, true)}`);
  assertEquals(clip(paint("ab", RED, true), 2), paint("ab", RED, true));
});
