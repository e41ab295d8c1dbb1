import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  describeDuration,
  formatDuration,
  parseDuration,
} from "../../../../lib/core/values/duration.ts";

Deno.test("formatDuration() and parseDuration() are each other's inverse", () => {
  fc.assert(fc.property(fc.maxSafeNat(), (ms) => {
    assertEquals(parseDuration(formatDuration(ms)), { ok: true, value: ms });
  }));
});

Deno.test("parseDuration() returns whole milliseconds or a reason for any text", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom(..."0123456789.msdh ") }),
  );
  fc.assert(
    fc.property(text, (written) => {
      const result = parseDuration(written);
      if (result.ok) assert(Number.isSafeInteger(result.value) && result.value >= 0);
      else assert(result.message.startsWith("Cannot read"));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("parseDuration() reads every unit, and several, largest first", () => {
  const values: Record<string, number> = {
    "0": 0,
    "1ms": 1,
    "2s": 2000,
    "3m": 180_000,
    "1h": 3_600_000,
    "2d": 172_800_000,
    "1.5h": 5_400_000,
    "1h30m": 5_400_000,
    "0.4ms": 0,
    "1d1ms": 86_400_001,
  };
  for (const [text, value] of Object.entries(values)) {
    assertEquals([text, parseDuration(text)], [text, { ok: true, value }]);
  }
});

Deno.test("parseDuration() rejects what is no duration", () => {
  for (
    const text of [
      "",
      "10",
      "s",
      "-1s",
      "1 s",
      "1s1h",
      "1s1s",
      "1x",
      "1e3s",
      ".5s",
      "1.s",
      "9e9d",
      `${"9".repeat(400)}d`,
      "1S",
    ]
  ) {
    assertEquals([text, parseDuration(text).ok], [text, false]);
  }
});

Deno.test("describeDuration() shows two units at most and never rolls over wrongly", () => {
  const shown: Record<number, string> = {
    0: "0ms",
    12: "12ms",
    999.7: "1.0s",
    3200: "3.2s",
    9960: "10s",
    59_400: "59s",
    59_600: "1m",
    192_000: "3m12s",
    3_599_600: "1h",
    86_399_999: "1d",
    187_200_000: "2d4h",
  };
  for (const [ms, text] of Object.entries(shown)) {
    assertEquals([ms, describeDuration(Number(ms))], [ms, text]);
  }
  fc.assert(fc.property(fc.double({ min: 0, max: 1e12, noNaN: true }), (ms) => {
    const units = describeDuration(ms).match(/[a-z]+/g) ?? [];
    assert(units.length >= 1 && units.length <= 2, describeDuration(ms));
  }));
});
