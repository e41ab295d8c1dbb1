// A site in virtual time under the real control plane: a pool controller with its strategy, a recorder, servers
// whose load averages lag as the kernel's do, people who come and go.

import { DecisionRecorder } from "../../lib/record/decision_recorder.ts";
import { PoolController } from "../../lib/app/pool_controller.ts";
import { readConfig } from "../../lib/config/read_config.ts";
import { drawWord, SNAPSHOT_WORDS, takeSnapshot } from "../../lib/core/pick/decision_snapshot.ts";
import { readSnapshot } from "../../lib/core/pick/snapshot_reader.ts";
import type { TcpAddress } from "../../lib/core/values/address.ts";
import type { AgentAdvice } from "../../lib/core/pool/agent_advice.ts";
import type { LoadSample } from "../../lib/core/pool/load.ts";
import { Choice, countTunnel, endTunnel, pick } from "../../lib/core/pick/pick_kernels.ts";
import { Chance } from "./chance.ts";
import { Source } from "../../lib/core/pick/source.ts";
import type { EngineEvent, PoolPlan } from "../../lib/engine/engine.ts";
import type { LoadSource } from "../../lib/load/load_source.ts";
import type { LogArea } from "../../lib/log/setup.ts";
import { closedEvent, openedEvent, storeOf } from "./events.ts";
import { ManualClock } from "./manual_clock.ts";

const SILENT: LogArea = { error: () => {}, warning: () => {}, info: () => {}, debug: () => {} };
const OWN = { transport: "tcp", host: "192.0.2.200", port: 1000 } as const;

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
  /** More keys of the pool, as YAML. */
  readonly keys?: string;
  /** By backend; 1 where it is not said. */
  readonly weights?: readonly number[];
  /** People that come, each from an address of its own; 1 unless said. */
  readonly clients?: number;
  /** What a backend tells besides its load. */
  readonly tells?: (backend: number, second: number) => Partial<LoadSample>;
  /** What its agent says, once it says something. */
  readonly advises?: (backend: number, second: number) => AgentAdvice | undefined;
  /** From then on loads are not to be had; seconds. */
  readonly silentFrom?: number;
  /** Many sessions at once. */
  readonly burst?: { readonly second: number; readonly sessions: number };
  /** A reload: then these are the backends, by number, in this order. */
  readonly reloadAt?: { readonly second: number; readonly backends: readonly number[] };
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
  readonly step: number;
  readonly backend: string;
  readonly tunnel: number;
  readonly busy: boolean;
  readonly client: TcpAddress;
}

/** Lets people use the site and records all of it to a file. */
export async function recordSite(path: string, options: SiteOptions): Promise<void> {
  const chance = new Chance(options.seed);
  const clock = new ManualClock();
  let now = 0;
  const servers = options.cores.map((): Server => ({ outside: 0, sessions: 0, load1: 0 }));
  const numberOf = (id: string) => Number(/\d+$/.exec(id)?.[0] ?? 0) - 1;
  const loads: LoadSource = {
    sample: ({ id }) => {
      const number = numberOf(id);
      const load1 = servers[number]?.load1 ?? 0;
      const more = options.tells?.(number, now) ?? {};
      const takenAtMs = clock.now();
      const sample = { load1: Math.round(load1 * 100) / 100, ...more, takenAtMs };
      if (now >= (options.silentFrom ?? Infinity)) {
        return Promise.resolve({ kind: "failed", reason: "silence" });
      }
      const advice = options.advises?.(number, now);
      return Promise.resolve(
        advice === undefined ? { kind: "sample", sample } : { kind: "advice", advice, sample },
      );
    },
    forget: () => {},
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const poolOf = (numbers: readonly number[]) => {
    const backends = numbers.map((number) =>
      `{ address: "127.0.0.1:${number + 1}", cores: ${options.cores[number]}, ` +
      `weight: ${options.weights?.[number] ?? 1} }`
    );
    const text = `
frontends: { ssh: { listen: "127.0.0.1:0" } }
pools:
  p:
    strategy: ${options.strategy}
    backends: [${backends.join(", ")}]
    load: { source: exec, exec: { command: x } }
    health: { probe: none }
    ${options.keys ?? ""}
`;
    const config = readConfig({ file: { path: "lb.conf", text }, overrides: {} });
    const pool = config.ok ? config.config.pools[0] : undefined;
    if (pool === undefined) throw new Error(`The site's configuration is bad: ${text}`);
    return pool;
  };
  const poolConfig = poolOf([...options.cores.keys()]);
  await using recorder = new DecisionRecorder(clock, SILENT);
  let plan: PoolPlan | undefined;
  await using controller = new PoolController(poolConfig, {
    clock,
    random: () => chance.next(),
    log: SILENT,
    createLoadSource: () => loads,
    resolve: (address) => Promise.resolve({ ok: true, value: [address] }),
    alreadyResolved: () => true,
    publish: (published) => plan = published,
    weighed: (...seen) => recorder.weighed(...seen),
  });
  await controller.prepare();
  await recorder.open(path);
  await controller.start();
  const { table } = controller.pool;
  const choice = new Choice();
  const words = new Int32Array(SNAPSHOT_WORDS);
  let sessions: Session[] = [];
  let tunnel = 0;
  const tell = (event: EngineEvent) => {
    recorder.note(event, (_pool, kernel) => controller.strategyOf(kernel));
    controller.observe(event, clock.now());
  };
  const source = new Source();
  const come = (second: number) => {
    const random = chance.next();
    const host = `192.0.2.${1 + chance.below(options.clients ?? 1)}`;
    const client = { transport: "tcp", host, port: 1024 + chance.below(60_000) } as const;
    source.setAddress(client);
    const row = pick(table, null, random, choice, source);
    takeSnapshot(table, null, choice, drawWord(random), words);
    const snapshot = readSnapshot(words, 0, plan?.endpoints ?? []);
    const { kernel } = snapshot;
    const atMs = clock.wall();
    const picks = [{ atMs, kernel, snapshot, failure: undefined }];
    const where = { frontend: "ssh", pool: "p", client, atMs };
    if (row < 0) {
      const store = storeOf(picks);
      const refused = { kind: "refused", reason: "no_backend", attempts: 0, queueMs: 0 } as const;
      tell({ ...refused, ...where, store, lastPick: 0 });
      return;
    }
    const backend = snapshot.backends[0]?.backend ?? "";
    countTunnel(table, row, source);
    const endsAt = second + Math.ceil(chance.exponential(options.meanSeconds));
    const busy = chance.next() < 0.6;
    const server = servers[numberOf(backend)];
    if (server !== undefined && busy) server.sessions++;
    sessions.push({ endsAt, row, step: choice.step, backend, tunnel: ++tunnel, busy, client });
    const store = storeOf(picks);
    tell(
      openedEvent({ tunnel, ...where, row, backend, outgoing: OWN, store, choice: { ...choice } }),
    );
  };
  const leave = ({ row, step, backend, tunnel, busy, client }: Session) => {
    const server = servers[numberOf(backend)];
    if (server !== undefined && busy) server.sessions--;
    source.setAddress(client);
    endTunnel(table, row, source, step);
    const where = { frontend: "ssh", pool: "p", client, atMs: clock.wall() };
    tell(closedEvent({ tunnel, ...where, row, backend, outgoing: OWN }));
  };
  for (let second = 0; second < options.seconds; second++) {
    now = second;
    if (options.reloadAt?.second === second) {
      await controller.reconfigure(poolOf(options.reloadAt.backends));
    }
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
    const burst = options.burst?.second === second ? options.burst.sessions : 0;
    for (let i = 0; i < due + burst; i++) come(second);
    await clock.advance(1000);
    if (options.rotateAt?.second === second) {
      await Deno.rename(path, options.rotateAt.to);
      await recorder.open(path);
    }
  }
}
