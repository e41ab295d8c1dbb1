import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { StrategyName } from "../../../lib/strategy/registry.ts";
import type { ReplayReport } from "../../../lib/record/replay/compare.ts";
import { renderReplay } from "../../../lib/cli/simulate_text.ts";

const REPORT: ReplayReport = {
  file: "record.jsonl",
  assumptions: ["nothing"],
  pools: [{
    pool: "compute",
    seconds: 7200,
    sessions: 120,
    refused: 2,
    sessionCost: 0.412,
    recorded: {
      strategies: ["least_load"],
      sessions: { "kelvin:22": 70, "hoek:22": 50 },
      freeMean: 14.06,
      free95: 9.21,
      herdIndex: null,
      avoidableOverload: 0.0081,
    },
    replayed: [{
      strategy: "round_robin",
      sessions: { "kelvin:22": 60, "euler:22": 60 },
      freeMean: 11,
      free95: -0.5,
      herdIndex: 2.5,
      avoidableOverload: 0.5,
      turnedAway: 0,
      elsewhere: 60,
      same: 0.5,
      otherByChance: null,
    }],
  }],
};

Deno.test("simulate draws a line for what was recorded and one for each strategy, with what changes", () => {
  const text = renderReplay(REPORT, false);
  assertEquals(text.split("\n").slice(0, 12), [
    "pool compute: 120 sessions in 2h, recorded with least_load; 2 turned away",
    "a session takes 0.41 cores along, as the recording shows",
    "",
    "             free, mean  95 % find  herd  overload, %  elsewhere  same choice  by chance  turned away",
    "recorded      14.1        9.2          -    0.8",
    "round_robin   11.0 -3.1  -0.5 -9.7  2.50   50.0 +49.2         60       50.0 %          -            0",
    "",
    "sessions     recorded  round_robin",
    "  kelvin:22        70          -10",
    "  hoek:22          50          -50",
    "  euler:22          0          +60",
    "",
  ]);
  assertStringIncludes(text, "\nColumns (+ and -: against what was recorded):\n  free: ");
  assertStringIncludes(text, "\nAssumed:\n  nothing\n");
});

Deno.test("simulate says = where nothing changes, and - where nothing is known", () => {
  const [pool] = REPORT.pools;
  assert(pool !== undefined);
  const nothing = { freeMean: null, free95: null, herdIndex: null, avoidableOverload: 0 };
  const [one] = pool.replayed;
  assert(one !== undefined);
  const text = renderReplay({
    ...REPORT,
    pools: [{
      ...pool,
      recorded: { ...pool.recorded, ...nothing, sessions: { a: 0 } },
      replayed: [{ ...one, ...nothing, sessions: { a: 0 }, same: null, elsewhere: 0 }],
    }],
  }, false);
  const lines = text.split("\n").map((line) => line.trim().split(/ +/));
  assertEquals(lines[5], ["round_robin", "-", "-", "-", "0.0", "=", "0", "-", "-", "0"]);
  assertEquals(lines[8], ["a", "0", "="]);
  const single = renderReplay({ ...REPORT, pools: [{ ...pool, sessions: 1 }] }, false);
  assert(single.includes(": 1 session in "), single);
});

Deno.test("renderReplay() draws a table that is too wide in parts, every strategy in one", () => {
  const result = (strategy: StrategyName) => ({
    strategy,
    same: 1,
    otherByChance: 0,
    turnedAway: 0,
    elsewhere: 0,
    freeMean: 1,
    free95: 1,
    herdIndex: 1,
    avoidableOverload: 0,
    sessions: { "hoek:22": 3 },
  });
  const strategies: StrategyName[] = [
    "least_load",
    "round_robin",
    "least_connections",
    "source_hash",
  ];
  const report = {
    file: "f",
    assumptions: [],
    pools: [{
      pool: "p",
      seconds: 1,
      sessions: 3,
      refused: 0,
      sessionCost: 1,
      recorded: { ...result("first"), strategies: ["least_load"] },
      replayed: strategies.map(result),
    }],
  };
  const narrow = renderReplay(report, false, 65).split("\n");
  const tables = narrow.slice(2, narrow.findIndex((line) => line.startsWith("Columns")));
  assert(tables.every((line) => line.length <= 65), narrow.join("\n"));
  for (const name of strategies) {
    const headings = tables.filter((line) => line.startsWith("sessions"));
    assertEquals(headings.filter((line) => line.includes(` ${name}`)).length, 1);
    assert(tables.some((line) => line.startsWith(name)));
  }
  assert(
    renderReplay(report, false).split("\n").some((line) =>
      line.includes("recorded  least_load  round_robin  least_connections  source_hash")
    ),
  );
});
