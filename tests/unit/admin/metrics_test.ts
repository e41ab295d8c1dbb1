import { assertEquals } from "@std/assert";
import { formatMetrics, type MetricsReport } from "../../../lib/admin/metrics.ts";
import type { StatusReport } from "../../../lib/admin/report.ts";

const STATUS: StatusReport = {
  version: "1.0",
  pid: 1,
  state: "running",
  engine: { name: "splice", reason: "" },
  adminHttp: [],
  startedAt: "1970-01-01T00:01:40.5Z",
  now: "1970-01-01T00:02:00Z",
  reload: { count: 2, error: "no" },
  counters: {
    accepted: 9,
    opened: 5,
    active: 2,
    refused: 4,
    connectFailures: 1,
    bytesToBackend: 0,
    bytesToClient: 0,
    eventsDropped: 0,
    logLinesDropped: 0,
  },
  frontends: [{ name: "ssh", listen: [], pool: "p", active: 2, maxConnections: 0, denials: [] }],
  pools: [],
  ordersKeptIn: null,
};

function textOf(report: Partial<MetricsReport>): string[] {
  const nothing = { frontends: new Map(), pools: new Map() };
  const whole = { status: STATUS, workers: 2, tally: nothing, process: {}, ...report };
  return [...formatMetrics(whole)].join("").trimEnd().split("\n");
}

Deno.test("formatMetrics(): a metric has its help once, and none where it has no value", () => {
  const lines = textOf({ process: { openFiles: 7 } });
  assertEquals(lines.filter((line) => line.includes("compute_lb_start_time")), [
    "# HELP compute_lb_start_time_seconds when it started, since the epoch",
    "# TYPE compute_lb_start_time_seconds gauge",
    "compute_lb_start_time_seconds 100.5",
  ]);
  assertEquals(lines.filter((line) => line.startsWith("process_")), ["process_open_fds 7"]);
  assertEquals(lines.filter((line) => line.includes("backend_")), []);
});

Deno.test("formatMetrics(): labels hold what names may not", () => {
  const frontend = {
    name: 'a"b\\c\nd',
    listen: [],
    pool: "p",
    active: 3,
    maxConnections: 0,
    denials: [],
  };
  const lines = textOf({ status: { ...STATUS, frontends: [frontend] } });
  assertEquals(lines.filter((line) => line.startsWith("compute_lb_frontend_sessions")), [
    'compute_lb_frontend_sessions{frontend="a\\"b\\\\c\\nd"} 3',
  ]);
});

Deno.test("formatMetrics(): refusals by their reason, bytes by their direction", () => {
  const ssh = {
    opened: 5,
    bytesToBackend: 10,
    bytesToClient: 20,
    refused: new Map([["denied", 3], ["no_backend", 1]]),
  };
  const lines = textOf({ tally: { frontends: new Map([["ssh", ssh]]), pools: new Map() } });
  assertEquals(lines.filter((line) => /^compute_lb_frontend_(bytes|refused)/.test(line)), [
    'compute_lb_frontend_refused_total{frontend="ssh",reason="denied"} 3',
    'compute_lb_frontend_refused_total{frontend="ssh",reason="no_backend"} 1',
    'compute_lb_frontend_bytes_total{frontend="ssh",direction="to_backend"} 10',
    'compute_lb_frontend_bytes_total{frontend="ssh",direction="to_client"} 20',
  ]);
});
