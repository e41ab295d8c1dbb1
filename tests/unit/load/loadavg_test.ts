import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseLoadavg } from "../../../lib/load/loadavg.ts";

Deno.test("parseLoadavg() reads what this kernel says", async () => {
  const text = await Deno.readTextFile("/proc/loadavg");
  assertEquals(parseLoadavg(text), { ok: true, value: Number(text.split(" ")[0]) });
});

Deno.test("parseLoadavg() reads every load that a kernel can print", () => {
  const hundredths = fc.integer({ min: 0, max: 999_999_999 }).map((value) => value / 100);
  const count = fc.nat({ max: 4_194_304 });
  fc.assert(
    fc.property(hundredths, hundredths, hundredths, count, count, (a, b, c, tasks, pid) => {
      const loads = [a, b, c].map((load) => load.toFixed(2)).join(" ");
      assertEquals(parseLoadavg(`${loads} 1/${tasks} ${pid}\n`), { ok: true, value: a });
    }),
  );
});

Deno.test("parseLoadavg() rejects everything else with a reason on one line", () => {
  const wrong = [
    "",
    "0.34",
    "-0.34 0.72 0.53 2/345 6789",
    "0,34 0,72 0,53 2/345 6789",
    "0.34 0.72 0.53 2/345",
    "NaN 0.72 0.53 2/345 6789",
    "0.34 0.72 0.53 2/345 6789 0",
    "1e9 0.72 0.53 2/345 6789",
    "0.34 0.72 0.53 2/345 6789\n\n",
  ];
  for (const text of wrong) assertEquals(parseLoadavg(text).ok, false, text);
  fc.assert(fc.property(fc.string({ maxLength: 100 }), (text) => {
    const result = parseLoadavg(text);
    assert(result.ok ? result.value >= 0 : !/[\r\n]/.test(result.message));
  }));
});
