import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { describeSize, formatSize, parseSize } from "../../../../lib/core/values/size.ts";

Deno.test("formatSize() and parseSize() are each other's inverse", () => {
  const bytes = fc.oneof(
    fc.maxSafeNat(),
    fc.tuple(fc.nat(4000), fc.nat(3)).map(([count, power]) => count * 1024 ** power),
  );
  fc.assert(fc.property(bytes, (value) => {
    assertEquals(parseSize(formatSize(value)), { ok: true, value });
  }));
});

Deno.test("parseSize() returns whole bytes or a reason for any text", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom(..."0123456789.kKMGTiB ") }),
  );
  fc.assert(
    fc.property(text, (written) => {
      const result = parseSize(written);
      if (result.ok) assert(Number.isSafeInteger(result.value) && result.value >= 0);
      else assert(result.message.startsWith("Cannot read"));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("parseSize() tells thousands from 1024s", () => {
  const values: Record<string, number> = {
    "0": 0,
    "1B": 1,
    "1kB": 1000,
    "1KB": 1000,
    "1KiB": 1024,
    "64 KiB": 65536,
    "1.5MiB": 1572864,
    "2GB": 2e9,
    "1TiB": 1024 ** 4,
  };
  for (const [text, value] of Object.entries(values)) {
    assertEquals([text, parseSize(text)], [text, { ok: true, value }]);
  }
});

Deno.test("parseSize() rejects a missing or unknown unit", () => {
  for (
    const text of ["", "64", "64k", "64K", "64kib", "-1B", "1  KiB", "9999999TiB", "1e3B", "B"]
  ) {
    assertEquals([text, parseSize(text).ok], [text, false]);
  }
});

Deno.test("describeSize() keeps to three figures", () => {
  const shown: Record<number, string> = {
    0: "0B",
    999: "999B",
    1000: "1.0KiB",
    1536: "1.5KiB",
    10209: "10KiB",
    1023590: "1.0MiB",
    65536: "64KiB",
    1.5e9: "1.4GiB",
  };
  for (const [bytes, text] of Object.entries(shown)) {
    assertEquals([bytes, describeSize(Number(bytes))], [bytes, text]);
  }
  fc.assert(fc.property(fc.nat(2 ** 30), (bytes) => {
    assert(/^(\d{1,3}|\d\.\d)([KMG]i)?B$/.test(describeSize(bytes)), describeSize(bytes));
  }));
});
