import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { MAX_CORES } from "../../../lib/core/pool/backend.ts";
import { CoresEstimate, coresFromScaled, parseCheckLoad } from "../../../lib/load/check_load.ts";

// Taken down from check_load 2.3.3 of Debian's monitoring-plugins.
const PLAIN = "LOAD OK - total load average: 0.08, 0.03, 0.01|load1=0.080;5.000;9.000;0; " +
  "load5=0.030;5.000;9.000;0; load15=0.010;5.000;9.000;0; ";
const SCALED = "LOAD WARNING - scaled load average: 0.41, 0.01, 0.01 - " +
  "total load average: 3.25, 0.03, 0.01|load1=3.250;;;0; scaled_load1=0.406;0.150;9.000;0; " +
  "load5=0.030;;;0; scaled_load5=0.015;5.000;9.000;0; load15=0.010;;;0; " +
  "scaled_load15=0.005;5.000;9.000;0; ";

function load1(text: string): number | string {
  const result = parseCheckLoad(text);
  return result.ok ? result.value.load1 : result.message;
}

Deno.test("parseCheckLoad() reads the performance data of both forms", () => {
  assertEquals(parseCheckLoad(PLAIN), { ok: true, value: { load1: 0.08 } });
  assertEquals(parseCheckLoad(SCALED), {
    ok: true,
    value: { load1: 3.25, cores: { lowest: 8, highest: 8 } },
  });
});

Deno.test("parseCheckLoad() does not take scaled_load1 or load15 for load1", () => {
  assertStringIncludes(String(load1("LOAD OK|scaled_load1=0.5;;;0;")), "Cannot find a load");
  assertStringIncludes(String(load1("LOAD OK|load15=0.5;;;0; load5=1;;;0;")), "Cannot find");
  assertEquals(load1("x|scaled_load1=0.500;;;0; load1=4.000;;;0;"), 4);
  assertEquals(load1("load1=1.5"), 1.5);
  assertEquals(load1("LOAD OK|'load1'=1.5;;;"), 1.5);
});

Deno.test("parseCheckLoad() falls back to the sentence", () => {
  assertEquals(load1("OK - load average: 0.34, 0.72, 0.53"), 0.34);
  assertEquals(load1("LOAD OK - total load average: 0.34, 0.72, 0.53"), 0.34);
  assertEquals(
    load1("OK - scaled load average: 0.17, 0.3, 0.2 - total load average: 0.34, 0.72, 0.53"),
    0.34,
  );
  assertStringIncludes(String(load1("OK - scaled load average: 0.17, 0.3, 0.2")), "Cannot find");
});

Deno.test("parseCheckLoad() takes a decimal comma where it cannot be mistaken", () => {
  assertEquals(load1("LOAD OK|load1=0,340;15,000;30,000;0;"), 0.34);
  assertEquals(load1("OK - load average: 0,34, 0,72, 0,53"), 0.34);
  // One number or two? Nobody knows.
  assertStringIncludes(String(load1("OK - load average: 0,34,0,72,0,53")), "Cannot find");
});

Deno.test("parseCheckLoad() rejects a load per CPU", () => {
  assertStringIncludes(
    String(load1("OK - load average per CPU: 0.17, 0.30, 0.20|load1=0.170;1;2;0;")),
    "take -r out",
  );
});

Deno.test("parseCheckLoad() takes any text and gives a load of 0 or more, or a reason", () => {
  const pieces = fc.constantFrom("load1=", "|", ";", " ", "load average: ", ", ", "0.34", "1,5");
  const text = fc.array(fc.oneof(pieces, fc.string({ maxLength: 5 })), { maxLength: 12 })
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, (value) => {
      const result = parseCheckLoad(value);
      if (result.ok) assert(Number.isFinite(result.value.load1) && result.value.load1 >= 0);
      else assert(!/[\n\r]/.test(result.message));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("parseCheckLoad() needs no more than moments for the longest answers", () => {
  const pieces = ["x", " ", "load average: ", "1,", "load1=", "scaled ", "1.1, ", "|'load1'=1x"];
  const start = performance.now();
  for (const first of pieces) {
    for (const second of pieces) {
      const text = first.repeat(30_000 / first.length) + second.repeat(30_000 / second.length);
      parseCheckLoad(text);
    }
  }
  // A search that goes back and forth over them would take minutes.
  assert(performance.now() - start < 10_000);
});

/** What check_load -r prints for a load as /proc/loadavg has it. */
function scaledText(load: number, cores: number): string {
  return (load / cores).toFixed(3);
}

const hundredths = fc.integer({ min: 0, max: 40_000 }).map((value) => value / 100);

Deno.test("coresFromScaled() never rules out the true core count", () => {
  fc.assert(
    fc.property(hundredths, fc.integer({ min: 1, max: MAX_CORES }), (load, cores) => {
      const range = coresFromScaled(load, scaledText(load, cores));
      assert(range !== undefined && range.lowest <= cores && cores <= range.highest);
    }),
    { numRuns: 5000 },
  );
});

Deno.test("coresFromScaled() rejects what no core count explains", () => {
  assertEquals(coresFromScaled(1, "3.000"), undefined);
  assertEquals(coresFromScaled(0, "0.000"), { lowest: 1, highest: MAX_CORES });
});

Deno.test("CoresEstimate finds the core count after some samples and never a wrong one", () => {
  fc.assert(
    fc.property(
      fc.array(hundredths, { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 1, max: 512 }),
      (loads, cores) => {
        const estimate = new CoresEstimate();
        for (const load of loads) {
          const range = coresFromScaled(load, scaledText(load, cores));
          if (range !== undefined) estimate.observe(range);
          assert(estimate.cores === undefined || estimate.cores === cores);
        }
        const busy = coresFromScaled(cores * 1.5, scaledText(cores * 1.5, cores));
        if (busy !== undefined) estimate.observe(busy);
        assertEquals(estimate.cores, cores);
      },
    ),
  );
});

Deno.test("CoresEstimate follows a backend that got more cores", () => {
  const estimate = new CoresEstimate();
  estimate.observe({ lowest: 8, highest: 8 });
  assertEquals(estimate.cores, 8);
  estimate.observe({ lowest: 16, highest: 16 });
  assertEquals(estimate.cores, 16);
});
