import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatRate, parseRate } from "../../../../lib/core/admission/rate.ts";

Deno.test("rates are read back as they are written", () => {
  const rate = fc.record({
    connections: fc.integer({ min: 1, max: 1_000_000 }),
    windowMs: fc.integer({ min: 1000, max: 86_400_000 }),
  });
  fc.assert(fc.property(rate, (one) => {
    assertEquals(parseRate(formatRate(one)), { ok: true, value: one });
  }));
  fc.assert(fc.property(fc.string(), (text) => {
    const read = parseRate(text);
    assert(read.ok || read.message.includes("expected") || read.message.includes("write"));
  }));
});

Deno.test("what is no rate is refused with what was expected", () => {
  const whole = 'expected 1 to 1000000, "/" and a duration, such as "10/1m"';
  const faults: readonly [string, string][] = [
    ["", `Cannot read "" as a rate: ${whole}`],
    ["10", `Cannot read "10" as a rate: ${whole}`],
    ["0/1m", `Cannot read "0/1m" as a rate: ${whole}`],
    ["010/1m", `Cannot read "010/1m" as a rate: ${whole}`],
    ["1000001/1m", `Cannot read "1000001/1m" as a rate: ${whole}`],
    ["1.5/1m", `Cannot read "1.5/1m" as a rate: ${whole}`],
    ["10/60", 'Cannot read "60" as a duration: unit is missing, write "60s"'],
    ["10/500ms", 'Cannot use "500ms" in a rate: expected 1s to 1d'],
    ["10/2d", 'Cannot use "2d" in a rate: expected 1s to 1d'],
  ];
  for (const [text, message] of faults) assertEquals(parseRate(text), { ok: false, message });
});
