import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { LineBytes } from "../../../../lib/core/values/line_bytes.ts";

const written = (write: (line: LineBytes) => void): string => {
  const line = new LineBytes(1);
  write(line);
  return new TextDecoder().decode(line.bytes);
};

Deno.test("line bytes: whole numbers are written as JavaScript writes them", () => {
  fc.assert(fc.property(fc.maxSafeInteger(), (value) => {
    assertEquals(written((line) => line.integer(value)), String(value));
  }));
  for (const value of [0, 9, 10, 999_999_999, 1e9, 2 ** 30, 2 ** 31, 2 ** 53 - 1]) {
    assertEquals(written((line) => line.integer(value)), String(value));
  }
});

Deno.test("line bytes: thousandths are written as JavaScript writes the number", () => {
  fc.assert(fc.property(fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), (value) => {
    assertEquals(written((line) => line.thousandths(value)), String(value / 1000));
  }));
});

Deno.test("line bytes: any text comes back, after others and before others", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme" })), (texts) => {
      assertEquals(written((line) => texts.forEach((text) => line.text(text))), texts.join(""));
    }),
  );
});

Deno.test("line bytes: zeros stand before a padded number, and what is taken back is gone", () => {
  assertEquals(
    written((line) => {
      line.padded(7, 3);
      const { length } = line;
      line.text("gone");
      line.truncate(length);
      line.char(46);
    }),
    "007.",
  );
});
