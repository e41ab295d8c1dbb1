import { assert, assertEquals } from "@std/assert";
import type { BackendReport } from "../../../lib/admin/report.ts";
import { renderPool } from "../../../lib/cli/status_table.ts";
import { BACKEND, POOL } from "./reports.ts";

const NOW = Date.parse("2026-11-21T08:30:12Z");

Deno.test("renderPool() puts remarks on lines of their own, below their backend", () => {
  const reason = "connection refused by every address that the name has";
  const failing: BackendReport = {
    ...BACKEND,
    id: "hoek:22",
    state: "down",
    usable: false,
    reason,
    loadFailure: "no answer within 3s",
  };
  const lines = renderPool({ ...POOL, backends: [failing, BACKEND] }, NOW, false);
  assertEquals(lines.slice(3, 5), [`    ${reason}`, "    load: no answer within 3s"]);
  assert(lines[2]?.startsWith("hoek:22"));
  assert(lines[5]?.startsWith("kelvin"));
  assertEquals(lines.length, 6);
  assert(lines.every((line) => line.length <= 90), lines.join("\n"));
});

Deno.test("renderPool() says why the fallback places sessions", () => {
  const waiting = { ...POOL, strategyInUse: "round_robin" };
  const [title = ""] = renderPool(waiting, NOW, false);
  assert(title.includes("round_robin (least_load waits for a load)"), title);
  const backends = [{ ...BACKEND, load1: null, loadAgeSeconds: null, free: null }];
  const [without = ""] = renderPool({ ...waiting, backends, loadSource: "none" }, NOW, false);
  assert(without.includes("round_robin (least_load has no load source)"), without);
});
