import { assertEquals } from "@std/assert";
import { clip, deepPrintable, paint, RED } from "../../../lib/cli/output.ts";

Deno.test("deepPrintable() reaches every text and leaves the rest", () => {
  assertEquals(
    deepPrintable({ a: ["\x1b", 1, null, true], "k\n": { b: "x\x9by" } }),
    { a: ["\\u001b", 1, null, true], "k\\n": { b: "x\\u009by" } },
  );
});

Deno.test("clip() counts what is seen and closes every colour", () => {
  assertEquals(clip("abcdef", 4), "abcd");
  assertEquals(clip("abcdef", undefined), "abcdef");
  assertEquals(clip(`ab${paint("cdef", RED, true)}gh`, 4), `ab${paint("cd", RED, true)}`);
  assertEquals(clip(paint("ab", RED, true), 2), paint("ab", RED, true));
});
