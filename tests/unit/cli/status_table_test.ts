import { assert, assertEquals } from "@std/assert";
import type { BackendReport, PoolReport } from "../../../lib/admin/report.ts";
import { renderPool } from "../../../lib/cli/status_table.ts";

const NOW = Date.parse("2026-11-21T08:30:12Z");

const BACKEND: BackendReport = {
  id: "kelvin.cluster.example:22",
  addresses: ["192.0.2.1:22"],
  state: "up",
  admin: "enabled",
  reason: "answers",
  since: "2026-11-01T08:30:12Z",
  usable: true,
  load1: 12.25,
  loadAgeSeconds: 2,
  loadFailure: null,
  cores: 128,
  coresFrom: "assumed",
  free: 115.75,
  memoryAvailableBytes: null,
  active: 120,
  total: 12345,
  maxConnections: 4096,
  connectFailures: 0,
};

const POOL: PoolReport = {
  name: "compute",
  strategy: "least_load",
  strategyInUse: "least_load",
  loadSource: "nrpe",
  healthProbe: "tcp",
  backends: [BACKEND],
};

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
