// A site in virtual time under the real control plane: a pool keeper with its strategy, a recorder, servers
// whose load averages lag as the kernel's do, people who come and go.

import { DecisionRecorder } from "../../lib/app/decision_recorder.ts";
import { PoolKeeper } from "../../lib/app/pool_keeper.ts";
import { readConfig } from "../../lib/config/read_config.ts";
import { readSnapshot, SNAPSHOT_WORDS, takeSnapshot } from "../../lib/core/decision_snapshot.ts";
import { drawWord } from "../../lib/core/decision_snapshot.ts";
import { Choice, countTunnel, pick, release } from "../../lib/core/pick_kernels.ts";
import { Chance } from "../../lib/core/simulation/chance.ts";
import type { EngineEvent, PoolPlan } from "../../lib/engine/engine.ts";
import type { LoadSource } from "../../lib/load/load_source.ts";
import type { LogArea } from "../../lib/log/setup.ts";
import { ManualClock } from "./manual_clock.ts";

const SILENT: LogArea = { error: () => {}, warning: () => {}, info: () => {}, debug: () => {} };
const CLIENT = { transport: "tcp", host: "192.0.2.7", port: 1000 } as const;

export interface SiteOptions {
  readonly strategy: string;
  /** By backend. */
  readonly cores: readonly number[];
  readonly seconds: number;
  /** Sessions that come in a minute, in the mean. */
  readonly perMinute: number;
  /** How long one lasts, in the mean. */
  readonly meanSeconds: number;
  readonly seed: number;
  /** When these are turned away by rotating the recording; seconds. */
  readonly rotateAt?: { readonly second: number; readonly to: string };
}

interface Server {
  outside: number;
  sessions: number;
  load1: number;
}

interface Session {
  readonly endsAt: number;
  readonly row: number;
  readonly backend: string;
  readonly tunnel: number;
  readonly busy: boolean;
}

/** Lets people use the site and records all of it to a file. */
export async function recordSite(path: string, options: SiteOptions): Promise<void> {
  const chance = new Chance(options.seed);
  const clock = new ManualClock();
  const servers = options.cores.map((): Server => ({ outside: 0, sessions: 0, load1: 0 }));
  const numberOf = (id: string) => Number(/\d+$/.exec(id)?.[0] ?? 0) - 1;
  const source: LoadSource = {
    kind: "exec",
    sample: ({ id }) => {
      const load1 = servers[numberOf(id)]?.load1 ?? 0;
      const sample = { load1: Math.round(load1 * 100) / 100, takenAtMs: clock.now() };
      return Promise.resolve({ kind: "sample", sample });
    },
    forget: () => {},
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const backends = options.cores.map((cores, index) => `"127.0.0.1:${index + 1}=${cores}"`);
  const text = `
frontends: { ssh: { listen: "127.0.0.1:0" } }
pools:
  p:
    strategy: ${options.strategy}
    backends: [${backends.join(", ")}]
    load: { source: exec, exec: { command: x } }
    health: { probe: none }
`;
  const config = readConfig({ file: { path: "lb.conf", text }, overrides: {} });
  const poolConfig = config.ok ? config.config.pools[0] : undefined;
  if (poolConfig === undefined) throw new Error("The site's configuration is bad");
  await using recorder = new DecisionRecorder(clock, SILENT);
  let plan: PoolPlan | undefined;
  await using keeper = new PoolKeeper(poolConfig, {
    clock,
    random: () => chance.next(),
    log: SILENT,
    createLoadSource: () => source,
    resolve: (address) => Promise.resolve({ ok: true, value: [address] }),
    alreadyResolved: () => true,
    publish: (published) => plan = published,
    weighed: (...seen) => recorder.weighed(...seen),
  });
  await keeper.prepare();
  await recorder.open(path);
  await keeper.start();
  const { table } = keeper.pool;
  const choice = new Choice();
  const words = new Int32Array(SNAPSHOT_WORDS);
  let sessions: Session[] = [];
  let tunnel = 0;
  const tell = (event: EngineEvent) => {
    recorder.note(event, (_pool, kernel) => keeper.strategyOf(kernel));
    keeper.observe(event);
  };
  const come = (second: number) => {
    const random = chance.next();
    const row = pick(table, null, random, choice);
    takeSnapshot(table, null, choice, drawWord(random), words);
    const snapshot = readSnapshot(words, 0, plan?.endpoints ?? []);
    const backend = snapshot.backends[0]?.backend ?? "";
    countTunnel(table, row);
    const endsAt = second + Math.ceil(chance.exponential(options.meanSeconds));
    const busy = chance.next() < 0.6;
    const server = servers[numberOf(backend)];
    if (server !== undefined && busy) server.sessions++;
    sessions.push({ endsAt, row, backend, tunnel: ++tunnel, busy });
    const atMs = clock.wall();
    const where = { frontend: "ssh", pool: "p", row, backend, client: CLIENT, outgoing: CLIENT };
    const { kernel } = snapshot;
    const picks = [{ atMs, kernel, snapshot, failure: undefined }];
    const decision = { kernel, active: 0, picks };
    tell({
      kind: "opened",
      tunnel,
      ...where,
      atMs,
      local: CLIENT,
      backendAddress: CLIENT,
      attempts: 1,
      connectMs: 0,
      decision,
    });
  };
  const leave = ({ row, backend, tunnel, busy }: Session) => {
    const server = servers[numberOf(backend)];
    if (server !== undefined && busy) server.sessions--;
    release(table, row);
    tell({
      kind: "closed",
      tunnel,
      frontend: "ssh",
      pool: "p",
      row,
      backend,
      client: CLIENT,
      outgoing: CLIENT,
      atMs: clock.wall(),
      durationMs: 0,
      bytesToBackend: 0,
      bytesToClient: 0,
      reason: "client_closed",
    });
  };
  for (let second = 0; second < options.seconds; second++) {
    if (second % 5 === 0) {
      const keep = Math.exp(-5 / 60);
      for (const server of servers) {
        if (chance.next() < 0.1) server.outside = chance.below(4);
        server.load1 = server.load1 * keep + (server.outside + server.sessions) * (1 - keep);
      }
    }
    for (const session of sessions) if (session.endsAt <= second) leave(session);
    sessions = sessions.filter(({ endsAt }) => endsAt > second);
    // The first samples are on their way.
    const due = second < 2 ? 0 : chance.next() < options.perMinute / 60 ? 1 + chance.below(2) : 0;
    for (let i = 0; i < due; i++) come(second);
    await clock.advance(1000);
    if (options.rotateAt?.second === second) {
      await Deno.rename(path, options.rotateAt.to);
      await recorder.open(path);
    }
  }
}
