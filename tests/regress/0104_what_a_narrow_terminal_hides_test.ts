// On a terminal of 80 columns, status cut off memory, pressure and the reasons why a backend is held back,
// why its headline, and simulate whole strategies. A backend that is held back was "up" in green, one that
// is down and held back did not say why it is down, and none said why it gets nothing without a load.

import { assert, assertEquals } from "@std/assert";
import type { BackendReport } from "../../lib/admin/report.ts";
import type { StrategyName } from "../../lib/strategy/registry.ts";
import { formatDuration } from "../../lib/core/values/duration.ts";
import { DIM, paint, wrap } from "../../lib/cli/output.ts";
import { renderReplay } from "../../lib/cli/simulate_text.ts";
import { renderPool } from "../../lib/cli/status_table.ts";
import { BACKEND, POOL } from "../unit/cli/reports.ts";

const NOW = Date.parse("2026-11-21T08:30:12Z");

Deno.test("wrap() breaks between words, indents what follows, and loses nothing", () => {
  assertEquals(wrap("one two three", 80), "one two three");
  assertEquals(wrap("one two three", undefined), "one two three");
  assertEquals(wrap("  one two three", 10), "  one two\n    three");
  assertEquals(wrap("overlong one", 4), "overlong\n  one");
  const painted = wrap(paint("  one two three", DIM, true), 10);
  assertEquals(painted, paint("  one two\n  three", DIM, true));
});

Deno.test("renderPool() gives figures that do not fit beside the table a line of their own", () => {
  const pool = {
    ...POOL,
    backends: [{ ...BACKEND, memoryAvailableBytes: 2 ** 30, cpuPressure: 0.5 }],
  };
  const narrow = renderPool(pool, NOW, false, 80);
  assertEquals(narrow.slice(3), ["    memory 1.0GiB, cpu wait 50%"]);
  assert(!narrow[1]?.includes("MEMORY"));
  assert(renderPool(pool, NOW, false, 200)[1]?.includes("MEMORY"));
});

Deno.test("renderPool() says why a backend is down and what else holds it, or that it is held", () => {
  const holds = [{
    cause: "offline",
    reason: "its load source says OFFLINE",
    since: "2026-11-21T08:30:00Z",
    until: null,
  }];
  const held = {
    ...BACKEND,
    id: "held",
    usable: false,
    reason: "its load source says OFFLINE",
    holds,
  };
  const down: BackendReport = { ...held, id: "down", state: "down", reason: "refused" };
  const lines = renderPool({ ...POOL, backends: [held, down, BACKEND] }, NOW, false);
  const said = `held back for ${formatDuration(12_000)}: its load source says OFFLINE`;
  assert(/^held +up, held /.test(lines[2] ?? ""), lines[2]);
  assertEquals(lines[3]?.trim(), said);
  assert(/^down +down /.test(lines[4] ?? ""), lines[4]);
  assertEquals(lines.slice(5, 7).map((line) => line.trim()), ["refused", said]);
});

Deno.test("renderPool() says who comes last for want of a load, and spares ordinary agents' words", () => {
  const silent = { ...BACKEND, free: null, load1: null, agent: "87%, ready, up" };
  const remarks = (strategyInUse: string) =>
    renderPool({ ...POOL, strategyInUse, backends: [silent] }, NOW, false).slice(3)
      .map((line) => line.trim());
  assertEquals(remarks("least_load"), ["comes last while its load is not known"]);
  assertEquals(remarks("round_robin"), ["agent: 87%, ready, up"]);
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
