// The measuring itself. A cell is one short measurement of one subject; the rounds in bench.ts run the
// same cell on every subject in turn, so that neighbours in time are compared.

import {
  CONCURRENCIES,
  type Group,
  type Measurements,
  PING_MODES,
  type PingMode,
  STREAMS,
  type SubjectName,
} from "./figures.ts";
import type { Backend, LoadTool } from "./load_tool.ts";
import { cpuSecondsOf } from "./proc.ts";
import { capacityOf } from "./rivals.ts";
import { Proxy, type Site, type Subject } from "./proxy.ts";

/** How long and how much. */
export interface Sizes {
  readonly rounds: number;
  /** Seconds of short connections before the first round. */
  readonly warmUpSeconds: number;
  /** Seconds of one cell. */
  readonly connsSeconds: number;
  readonly bulkSeconds: number;
  readonly pingSeconds: number;
  readonly sessions: number;
  /** How long held sessions are left alone before memory is read, in milliseconds. */
  readonly idleMs: number;
}

export const FULL: Sizes = {
  rounds: 5,
  warmUpSeconds: 2,
  connsSeconds: 1.2,
  bulkSeconds: 1.2,
  pingSeconds: 1.5,
  sessions: 10_000,
  idleMs: 1_000,
};

export const QUICK: Sizes = {
  rounds: 1,
  warmUpSeconds: 1,
  connsSeconds: 0.3,
  bulkSeconds: 0.3,
  pingSeconds: 0.4,
  sessions: 1_000,
  idleMs: 200,
};

export interface Bench {
  readonly load: LoadTool;
  readonly backend: Backend;
  readonly site: Site;
  readonly sizes: Sizes;
  readonly measured: Measurements;
  /** Says what went wrong without ending the run. */
  note(text: string): void;
}

/** One short measurement. */
export interface Cell {
  readonly title: string;
  run(bench: Bench, subject: Subject, round: number): Promise<void>;
}

const STANDING_CONNECTIONS = 100;
/** One message each so many microseconds, over all connections. */
const PING_INTERVAL_US = 500;
const PACED_COPY_BYTES_PER_SECOND = 400e6;
/** What a copy runs before the first message and after the last, in seconds. */
const COPY_MARGIN = 0.25;

/** The cells that are run on standing proxies. */
export function standingCells(groups: readonly Group[]): Cell[] {
  const cells: Cell[] = [];
  if (groups.includes("connections")) cells.push(...CONCURRENCIES.map(connectionsCell));
  if (groups.includes("bulk")) cells.push(...STREAMS.map(bulkCell));
  if (groups.includes("rtt")) cells.push(...PING_MODES.map(pingCell));
  return cells;
}

/** What the processes of a cell took, in processor seconds. */
interface Taken {
  readonly proxy: number;
  /** What of the proxy's was spent outside the kernel. */
  readonly proxyUser: number;
  readonly backend: number;
}

/** Runs something, waits until every session of it is over everywhere, and tells what that took. */
async function taking<T>(
  { backend }: Bench,
  subject: Subject,
  work: () => Promise<T>,
): Promise<{ result: T; taken: Taken }> {
  const before = {
    proxy: await subject.cpuSeconds(),
    proxyUser: await subject.userSeconds(),
    backend: await cpuSecondsOf(backend.child.pid),
  };
  const result = await work();
  await backend.untilSessions(0);
  const proxy = await subject.cpuSeconds() - before.proxy;
  const proxyUser = await subject.userSeconds() - before.proxyUser;
  return {
    result,
    taken: { proxy, proxyUser, backend: await cpuSecondsOf(backend.child.pid) - before.backend },
  };
}

/** Records how much of a core each process was busy for, for the footer. */
function recordBusy(
  { measured }: Bench,
  cell: string,
  subject: Subject,
  round: number,
  seconds: number,
  taken: Taken & { readonly generator: number },
): void {
  for (const who of BUSY) {
    measured.record(busyId(cell, who), subject.name, round, taken[who] / seconds);
  }
}

export const BUSY = ["proxy", "generator", "backend"] as const;

/** Under which name the cores that a process kept busy are recorded. */
export function busyId(cell: string, who: typeof BUSY[number]): string {
  return `busy.${cell}.${who}`;
}

function connectionsCell(count: number): Cell {
  const id = `connections.${count}`;
  return {
    title: `connections, ${count} at a time`,
    async run(bench, subject, round) {
      const { connsSeconds } = bench.sizes;
      const { result, taken } = await taking(
        bench,
        subject,
        () => bench.load.conns(subject.port, count, connsSeconds),
      );
      const { done, failed, reason, seconds, cpuSeconds } = result;
      if (failed > 0) {
        bench.note(`${subject.name}: ${failed} of ${done} connections failed: ${reason}`);
      }
      bench.measured.record(id, subject.name, round, done / seconds);
      if (subject.name !== "direct") {
        const perConnection = taken.proxy / done * 1e6;
        bench.measured.record(`connection_cpu.${count}`, subject.name, round, perConnection);
        const user = taken.proxyUser / done * 1e6;
        bench.measured.record(`connection_user.${count}`, subject.name, round, user);
      }
      recordBusy(bench, id, subject, round, seconds, { ...taken, generator: cpuSeconds });
    },
  };
}

function bulkCell(streams: number): Cell {
  return {
    title: `bulk, streams: ${streams}`,
    async run(bench, subject, round) {
      const { bulkSeconds } = bench.sizes;
      const { result, taken } = await taking(
        bench,
        subject,
        () => bench.load.bulk(subject.port, streams, bulkSeconds),
      );
      const { bytes, seconds, cpuSeconds } = result;
      const gigabytes = bytes / 1e9;
      bench.measured.record(`bulk_rate.${streams}`, subject.name, round, gigabytes / seconds);
      if (subject.name !== "direct") {
        bench.measured.record(`bulk_cpu.${streams}`, subject.name, round, taken.proxy / gigabytes);
      }
      const busy = { ...taken, generator: cpuSeconds };
      recordBusy(bench, `bulk_rate.${streams}`, subject, round, seconds, busy);
    },
  };
}

function pingCell(mode: PingMode): Cell {
  return {
    title: `round trips, ${mode}`,
    async run(bench, subject, round) {
      const { load, backend, sizes: { pingSeconds }, measured } = bench;
      const paced = mode !== "busy";
      if (paced) await backend.runAhead(true);
      const copying = mode === "paced copy" || mode === "full copy"
        ? load.bulk(
          subject.port,
          1,
          pingSeconds + 2 * COPY_MARGIN,
          mode === "full copy" ? 0 : PACED_COPY_BYTES_PER_SECOND,
        )
        : undefined;
      // Both have an owner from here on, whichever fails.
      const pinging = after(
        copying === undefined ? 0 : COPY_MARGIN,
        () =>
          load.ping(
            subject.port,
            STANDING_CONNECTIONS,
            pingSeconds,
            paced ? PING_INTERVAL_US : undefined,
          ),
      );
      const [ping, copy] = await Promise.all([pinging, copying]);
      await backend.untilSessions(0);
      if (paced) await backend.runAhead(false);
      measured.record(`rtt.${mode}.p50`, subject.name, round, ping.p50);
      measured.record(`rtt.${mode}.p99`, subject.name, round, ping.p99);
      measured.record(`skipped.${mode}`, subject.name, round, ping.skipped / ping.count);
      if (copy !== undefined && mode === "full copy") {
        measured.record("copy_rate", subject.name, round, copy.bytes / copy.seconds / 1e9);
      }
      if (paced && !ping.realtime) bench.note("the generator may not run ahead of the proxies");
    },
  };
}

async function after<T>(seconds: number, work: () => Promise<T>): Promise<T> {
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  return await work();
}

/** How long a fresh proxy is used before memory counts, in seconds. */
const BREAK_IN_SECONDS = 0.7;

/** Sessions that a proxy could hold on top of those that are held. */
const SPARE_SESSIONS = 50;

/**
 * Starts a proxy anew: how long that takes, and, where asked, what held sessions cost it. It is broken
 * in by short connections first, so that what any first use costs is not counted as the sessions'.
 */
export async function freshCell(
  bench: Bench,
  name: Exclude<SubjectName, "direct">,
  round: number,
  groups: readonly Group[],
): Promise<void> {
  const { load, backend, measured, sizes } = bench;
  await using proxy = await Proxy.start(name, bench.site);
  if (groups.includes("startup")) measured.record("startup", name, round, proxy.startupMs);
  if (!groups.includes("memory")) return;
  await load.conns(proxy.port, 16, BREAK_IN_SECONDS);
  await backend.untilSessions(0);
  const sessions = Math.min(
    sizes.sessions,
    capacityOf(name, bench.site.openFiles) - SPARE_SESSIONS,
  );
  if (sessions < sizes.sessions) {
    bench.note(`${name} held ${sessions} sessions: the limit on open files allows no more`);
  }
  const before = await proxy.residentBytes();
  {
    await using held = await load.hold(proxy.port, sessions);
    const { failed, reason } = held.report;
    if (failed > 0) bench.note(`${name}: ${failed} sessions failed: ${reason}`);
    await new Promise((resolve) => setTimeout(resolve, sizes.idleMs));
    await backend.untilSessions(sessions);
    const grown = await proxy.residentBytes() - before;
    measured.record("memory", name, round, grown / sessions);
  }
  await backend.untilSessions(0);
}

/** Uses a proxy in every way for a short time, so that compiled code and pools are there. */
export async function warmUp({ load, backend, sizes }: Bench, subject: Subject): Promise<void> {
  await load.conns(subject.port, 16, sizes.warmUpSeconds);
  await load.bulk(subject.port, 1, 0.3);
  await load.ping(subject.port, STANDING_CONNECTIONS, 0.3);
  await backend.untilSessions(0);
}
