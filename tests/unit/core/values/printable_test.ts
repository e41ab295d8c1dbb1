import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { printable } from "../../../../lib/core/values/printable.ts";

Deno.test("text that can be read stays as it is", () => {
  const text = 'hoek-01 unix:/run/a b.sock "Zürich" 東京 \u{1f600} C:\\x';
  assertEquals(printable(text), text);
});

Deno.test("every character that is not seen as it is becomes an escape", () => {
  const ranges: readonly (readonly [number, number])[] = [
    [0x00, 0x1f],
    [0x7f, 0x9f],
    [0x61c, 0x61c],
    [0x200b, 0x200f],
    [0x2028, 0x202e],
    [0x2060, 0x2060],
    [0x2066, 0x2069],
    [0xfeff, 0xfeff],
    [0xd800, 0xdfff],
  ];
  const named: Readonly<Record<number, string>> = { 9: "\\t", 10: "\\n", 13: "\\r" };
  for (const [first, last] of ranges) {
    for (let code = first; code <= last; code++) {
      const escape = named[code] ?? `\\u${code.toString(16).padStart(4, "0")}`;
      assertEquals(printable(`a${String.fromCharCode(code)}b`), `a${escape}b`);
    }
  }
  assertEquals(printable("a\u{e0041}b"), "a\\udb40\\udc41b");
});

Deno.test("what comes out is one line and well formed, and stays as it is", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const shown = printable(text);
    assertEquals(shown.isWellFormed(), true);
    assertEquals(/[\p{Cc}\u2028\u2029]/u.test(shown), false);
    assertEquals(printable(shown), shown);
  }));
});

Deno.test("printable() leaves the meaning of JSON as it is", () => {
  const text = "a\u202eb\u{e0041}\u0085\u2028\ud800 \n";
  const json = printable(JSON.stringify({ text }));
  assertEquals(json, '{"text":"a\\u202eb\\udb40\\udc41\\u0085\\u2028\\ud800 \\n"}');
  assertEquals(JSON.parse(json), { text });
});
