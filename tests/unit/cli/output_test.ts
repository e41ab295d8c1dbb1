import { assertEquals } from "@std/assert";
import { clip, deepPrintable, DIM, paint, RED, wrap } from "../../../lib/cli/output.ts";

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

Deno.test("wrap() breaks between words, indents what follows, and loses nothing", () => {
  assertEquals(wrap("one two three", 80), "one two three");
  assertEquals(wrap("one two three", undefined), "one two three");
  assertEquals(wrap("  one two three", 10), "  one two\n    three");
  assertEquals(wrap("overlong one", 4), "overlong\n  one");
  const painted = wrap(paint("  one two three", DIM, true), 10);
  assertEquals(painted, paint("  one two\n  three", DIM, true));
});
