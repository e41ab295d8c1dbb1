import { assert, assertEquals } from "@std/assert";
import { formatMetrics } from "../../../lib/admin/metrics.ts";
import { dashboard } from "../../../lib/cli/grafana_dashboard.ts";
import { queriesOf } from "../../support/dashboard.ts";
import { POOL, REPORT } from "./reports.ts";

/** Every metric that there can be, with the labels of its samples. */
function knownMetrics(): Map<string, Set<string>> {
  const counts = new Map([["reason", 1]]);
  const moved = { bytesToBackend: 1, bytesToClient: 1 };
  const backends = new Map(POOL.backends.map(({ id }) => [id, { ...moved, failures: counts }]));
  const frontend = {
    name: "ssh",
    listen: [],
    pool: POOL.name,
    active: 1,
    maxConnections: 0,
    denials: [],
  };
  const text = formatMetrics({
    status: { ...REPORT, frontends: [frontend] },
    workers: 2,
    tally: {
      frontends: new Map([[frontend.name, { ...moved, opened: 1, refused: counts }]]),
      pools: new Map(
        REPORT.pools.map(({ name }) => [name, { picks: 1, refused: counts, backends }]),
      ),
    },
    process: {
      cpuSeconds: 1,
      residentBytes: 1,
      openFiles: 1,
      mostFiles: 1,
      listenOverflows: 1,
    },
  });
  const known = new Map<string, Set<string>>();
  for (const [, name = "", labels = ""] of [...text].join("").matchAll(/^(\w+)(?:\{(.*)\})? /gm)) {
    known.set(name, new Set([...labels.matchAll(/(\w+)="/g)].map(([, label = ""]) => label)));
  }
  return known;
}

Deno.test("dashboard(): every metric is one that /metrics has, every label one of its labels", () => {
  const known = knownMetrics();
  const queries = queriesOf(dashboard());
  assert(queries.length > 10);
  for (const { expr, legendFormat } of queries) {
    const names = [...expr.matchAll(/\b(compute_lb|process)_\w+/g)].map(([name]) => name);
    assert(names.length > 0, expr);
    assertEquals(names.filter((name) => !known.has(name)), [], expr);
    const labels = new Set(["instance", ...names.flatMap((name) => [...known.get(name) ?? []])]);
    const used = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g), ...expr.matchAll(/(\w+)=/g)];
    assertEquals(used.flatMap(([, name = ""]) => labels.has(name) ? [] : [name]), [], expr);
  }
});

Deno.test("dashboard(): panels do not overlap, and take the data source that an import asks for", () => {
  const { panels, __inputs: inputs } = dashboard();
  assert(Array.isArray(panels) && Array.isArray(inputs));
  assertEquals(inputs.map(({ name, pluginId }) => [name, pluginId]), [
    ["DS_PROMETHEUS", "prometheus"],
  ]);
  const cells = new Set<string>();
  for (const { id, gridPos: { x, y, w, h }, datasource } of panels) {
    assertEquals(datasource, { type: "prometheus", uid: "${DS_PROMETHEUS}" });
    assert(x >= 0 && x + w <= 24, `panel ${id}`);
    for (let column = x; column < x + w; column++) {
      for (let row = y; row < y + h; row++) {
        assert(!cells.has(`${column},${row}`), `panel ${id} lies on another`);
        cells.add(`${column},${row}`);
      }
    }
  }
  assertEquals(new Set(panels.map(({ id }) => id)).size, panels.length);
});
