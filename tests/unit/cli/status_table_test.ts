import { assert, assertEquals } from "@std/assert";
import type { BackendReport, DiscoveryReport, StatusReport } from "../../../lib/admin/report.ts";
import { renderPool, renderStatus } from "../../../lib/cli/status_table.ts";
import { formatDuration } from "../../../lib/core/values/duration.ts";
import { BACKEND, POOL, REPORT } from "./reports.ts";
import { TOPICS } from "../../../lib/manual/topics.ts";

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

Deno.test("renderPool() has no remark about a probe where nobody probes", () => {
  const unknown: BackendReport = { ...BACKEND, state: "unknown", reason: "not probed yet" };
  const linesOf = (healthProbe: string) =>
    renderPool({ ...POOL, healthProbe, backends: [unknown] }, NOW, false).slice(3);
  assertEquals(linesOf("none"), []);
  assertEquals(linesOf("tcp"), ["    not probed yet"]);
});

Deno.test("renderPool() says how discovery sources do", () => {
  const source: DiscoveryReport = {
    source: "redis",
    name: "redis redis://r",
    backends: 3,
    listedAt: "2026-11-21T08:30:07Z",
    failure: null,
    failingSince: null,
    emptySince: null,
    skipped: [],
  };
  const failing = { failure: "no route", failingSince: "2026-11-21T08:25:12Z" };
  const linesOf = (more: Partial<DiscoveryReport>, discoveryHeld: string | null = null) =>
    renderPool({ ...POOL, discovery: [{ ...source, ...more }], discoveryHeld }, NOW, false)
      .slice(1, -2);
  assertEquals(linesOf({}), ["by redis redis://r: 3 backends, said 5.0s ago"]);
  assertEquals(linesOf({ ...failing, skipped: ['item 3: Cannot read "x"'] }, "too many"), [
    "by redis redis://r: fails since 5m: no route; its last list stays: 3 backends",
    '    cannot use item 3: Cannot read "x"',
    "keeps the backends of before: too many",
  ]);
  assertEquals(linesOf({ ...failing, backends: null, listedAt: null }), [
    "by redis redis://r: fails since 5m: no route; no list yet",
  ]);
  assertEquals(linesOf({ emptySince: "2026-11-21T08:30:02Z" }), [
    "by redis redis://r: names nobody since 10s; its last list stays: 3 backends (on_empty: keep)",
  ]);
});

Deno.test("renderPool() says what holds a backend back, for how long, and what a panic is about", () => {
  const hold = {
    cause: "outlier",
    reason: "5 connections in a row failed",
    since: "2026-11-21T08:30:00Z",
    until: "2026-11-21T08:30:30Z",
  };
  const held = { ...BACKEND, usable: false, reason: hold.reason, holds: [hold] };
  const short = { ...held, backup: true, holds: [{ ...hold, until: null }] };
  const forgiven = { ...held, usable: true, holds: [{ ...hold, until: null }], share: 0.25 };
  const lines = renderPool(
    { ...POOL, panic: "panic: only 0 of 2", backends: [held, short, forgiven] },
    NOW,
    false,
  );
  assertEquals(lines.filter((line) => !line.startsWith("kelvin")).slice(1).toSpliced(1, 1), [
    "panic: only 0 of 2",
    "    held back for 12s, 18s to go: 5 connections in a row failed",
    "    held back for 12s: 5 connections in a row failed",
    "    backup: takes the sessions that no other server can take",
    "    used, though held back for 12s: 5 connections in a row failed",
    "    slow start: 25% of its share",
  ]);
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

Deno.test("renderPool() says why the fallback places sessions", () => {
  const waiting = { ...POOL, strategyInUse: "round_robin" };
  const [title = ""] = renderPool(waiting, NOW, false);
  assert(title.includes("round_robin (least_load waits for a load)"), title);
  const backends = [{ ...BACKEND, load1: null, loadAgeSeconds: null, free: null }];
  const [without = ""] = renderPool({ ...waiting, backends, loadSource: "none" }, NOW, false);
  assert(without.includes("round_robin (least_load has no load source)"), without);
});

Deno.test("renderPool() shows memory, pressure and people where somebody tells them", () => {
  const [, plain = ""] = renderPool(POOL, NOW, false);
  assert(plain.endsWith("TOTAL"), plain);
  const telling: BackendReport = {
    ...BACKEND,
    memoryAvailableBytes: 1.5 * 2 ** 30,
    memoryTotalBytes: 16 * 2 ** 30,
    cpuPressure: 0.0372,
    loginSessions: 0,
  };
  const lines = renderPool({ ...POOL, backends: [telling, BACKEND] }, NOW, false);
  const ends = lines.slice(1).map((line) => /TOTAL|12345/.exec(line)?.index ?? 0)
    .map((at, index) => (lines[index + 1] ?? "").slice(at + 5).trim().replace(/ {2,}/g, "|"));
  assertEquals(ends, ["MEMORY|CPU WAIT|PEOPLE", "1.5GiB/16GiB|3.7%|0", "-|-|-"]);
});

Deno.test("renderPool() tells a weight that counts, and that clients stick", () => {
  const heavy: BackendReport = { ...BACKEND, weight: 2.5 };
  const remarks = (backend: BackendReport, strategyInUse: string) =>
    renderPool({ ...POOL, strategyInUse, backends: [backend] }, NOW, false).slice(3)
      .map((line) => line.trim());
  assertEquals(remarks(heavy, "least_load"), ["weight 2.5"]);
  assertEquals(remarks({ ...heavy, agent: "50%, ready, up" }, "least_load"), []);
  assertEquals(remarks({ ...heavy, agent: "50%, ready, up" }, "round_robin"), [
    "weight 2.5",
    "agent: 50%, ready, up",
  ]);
  const [title = ""] = renderPool({ ...POOL, sticky: "source" }, NOW, false);
  assert(title.endsWith(", sticky by source"), title);
});

Deno.test("renderStatus() tells of the last reload what it changed, or why it was refused", () => {
  const at = "2026-11-21T08:25:12Z";
  const lineOf = (reload: StatusReport["reload"]) =>
    renderStatus({ ...REPORT, reload }, false).split("\n").find((line) => line.includes("reload"));
  assertEquals(lineOf({ count: 0 }), undefined);
  assertEquals(
    lineOf({ count: 3, at, changes: "pool compute: +euler:22" }),
    "last reload 5m ago: pool compute: +euler:22",
  );
  assertEquals(
    lineOf({ count: 3, at, error: "lb.conf:2:1: no" }),
    "last reload 5m ago refused: lb.conf:2:1: no",
  );
  // An older balancer does not tell when.
  assertEquals(lineOf({ count: 3, error: "no" }), "last reload refused: no");
  assertEquals(lineOf({ count: 3 }), undefined);
});

Deno.test("renderPool() says how many wait for a place", () => {
  const said = (waiting: number) =>
    renderPool({ ...POOL, queue: { ...POOL.queue, waiting } }, NOW, false)
      .filter((line) => line.includes("wait"));
  assertEquals([said(0), said(1), said(40)], [
    [],
    ["1 client waits for a place"],
    ["40 clients wait for a place"],
  ]);
});

Deno.test("renderPool() says what a new session counts for while many log in", () => {
  const said = (burstCost: number) =>
    renderPool({ ...POOL, burstCost }, NOW, false).filter((line) => line.includes("many log in"));
  assertEquals(said(0.04), []);
  assertEquals(said(6.1), [
    "many log in: a new session counts for 6.1 cores beside FREE, for a minute",
  ]);
});

Deno.test("renderStatus() draws what the manual shows", () => {
  const now = "2026-11-21T08:30:12Z";
  const minutesAgo = (minutes: number) =>
    new Date(Date.parse(now) - 60_000 * minutes).toISOString();
  const up = {
    ...BACKEND,
    since: minutesAgo(205),
    coresFrom: "learnt",
    maxConnections: 0,
  } as const;
  const report: StatusReport = {
    ...REPORT,
    pid: 4711,
    engine: { name: "splice", reason: "" },
    startedAt: minutesAgo(205),
    now,
    counters: {
      ...REPORT.counters,
      active: 3,
      opened: 17,
      bytesToBackend: 2.9 * 2 ** 20,
      bytesToClient: 41 * 2 ** 20,
    },
    frontends: [
      {
        name: "main",
        listen: [":2222"],
        pool: "main",
        active: 3,
        maxConnections: 4096,
        denials: [],
      },
    ],
    pools: [{
      ...POOL,
      name: "main",
      backends: [
        {
          ...up,
          ...{ id: "hoek:22", load1: 3.91, loadAgeSeconds: 4.2, cores: 16, free: 11.54 },
          ...{ active: 2, total: 9 },
        },
        {
          ...up,
          ...{ id: "kelvin:22", load1: 0.12, loadAgeSeconds: 7.8, cores: 8, free: 7.38 },
          ...{ active: 1, total: 5, coresFrom: "assumed" },
        },
        {
          ...up,
          ...{ id: "euler:22", load1: 1.05, loadAgeSeconds: 720, cores: 24, free: null },
          ...{ active: 0, total: 3, state: "down", usable: false, since: minutesAgo(12) },
          reason: "cannot connect to 10.1.0.9:22: Connection refused",
          loadFailure: "connection refused (euler:5666)",
        },
      ],
    }],
  };
  const manual = TOPICS.find(({ name }) => name === "status")?.text ?? "";
  const [shown = ""] = /^ {4}compute-lb 0[^]*?\n(?=\n\S)/m.exec(manual) ?? [];
  assertEquals(renderStatus(report, false), shown.replaceAll(/^ {4}/gm, ""));
});
