// Everything that can keep sessions away from a backend, at once and at random, with reloads in between: a
// whole PoolController on a clock of the test's. What must hold whatever happens is looked at after each step.

import { assert, assertEquals } from "@std/assert";
import { PoolController } from "../../../lib/app/pool_controller.ts";
import { NO_OVERRIDES } from "../../../lib/core/administration/override.ts";
import { reportPool } from "../../../lib/app/report.ts";
import type { LoadConfig, PoolConfig } from "../../../lib/config/config.ts";
import type { LoadResult } from "../../../lib/core/pool/load.ts";
import type { Member, Obstacle } from "../../../lib/core/pool/member.ts";
import {
  ACTIVE,
  COST_MILLI_CORES,
  ELIGIBLE,
  MAX_CONNECTIONS,
  STANDING,
  TOTAL,
  UNKNOWN_FREE,
} from "../../../lib/core/pick/pick_table.ts";
import { Chance } from "../../support/chance.ts";
import { STANDINGS } from "../../../lib/core/pool/standing.ts";
import type { LoadSource } from "../../../lib/load/load_source.ts";
import { closedEvent, openedEvent } from "../../support/events.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { poolConfig } from "../../support/pool_config.ts";

const HOSTS = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"] as const;
const STEPS = 60;
const SEEDS = 3;
/** All that time alone can end has ended then: ejections, trials, slow starts, samples that grow old. */
const QUIET_MS = 200_000;
/** Obstacles by the pool's own judgement: they never keep the last ones away. */
const OWN: ReadonlySet<Obstacle> = new Set(["memory", "pressure", "outlier", "black_hole"]);
const NEVER_FORGIVEN: readonly Obstacle[] = ["offline", "agent", "memory", "pressure"];

/** A backend as the world has it: what it answers to whoever asks. */
interface Truth {
  load: LoadResult;
  readonly tunnels: { readonly id: number; readonly openedMs: number }[];
}

/** What the engine tells. */
type Happening =
  | { readonly kind: "opened"; readonly tunnel: number }
  | { readonly kind: "connect_failed" }
  | { readonly kind: "closed"; readonly tunnel: number; readonly openedMs: number };

class World implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly chance: Chance;
  readonly log: string[] = [];
  readonly truths = new Map<string, Truth>();
  readonly controller: PoolController;
  #tunnel = 0;

  constructor(readonly seed: number) {
    this.chance = new Chance(seed);
    const write = (text: string) => void this.log.push(text);
    this.controller = new PoolController(this.randomConfig(), {
      clock: this.clock,
      random: () => this.chance.next(),
      log: { error: write, warning: write, info: write, debug: write },
      createLoadSource: (config) => this.#sourceOf(config),
      resolve: (address) => Promise.resolve({ ok: true, value: [address] }),
      alreadyResolved: () => true,
      publish: () => {},
      weighed: () => {},
    });
  }

  static async start(seed: number): Promise<World> {
    const world = new World(seed);
    const { controller } = world;
    await controller.prepare();
    world.proveAll();
    await controller.start();
    return world;
  }

  /** Sessions that have just been made spare backends the probes, which would go over the network. */
  proveAll(): void {
    const { pool, resilience } = this.controller;
    for (const { backend: { id } } of pool.members) {
      resilience.observeProbe(id, { ok: true, latencyMs: 1 }, this.clock.now());
      this.connect(id);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.controller[Symbol.asyncDispose]();
  }

  one<T>(values: readonly [T, ...T[]]): T {
    return values[Math.floor(this.chance.next() * values.length)] ?? values[0];
  }

  randomConfig(): PoolConfig {
    const staying = HOSTS.filter(() => this.chance.next() < 0.85);
    const hosts = staying.length === 0 ? [HOSTS[0]] : staying;
    const backends = hosts.map((host) => ({
      address: `${host}:22`,
      weight: this.one(["1", "1", "1", "0", "0.5", "7"]),
      max_connections: this.one(["0", "0", "3"]),
      ...(this.chance.next() < 0.5 ? { cores: this.one(["1", "8", "64"]) } : {}),
    }));
    const pool = {
      strategy: this.one(["least_load", "least_load", "two_choices", "first", "round_robin"]),
      fallback: this.one(["round_robin", "least_connections", "two_choices"]),
      backends,
      health: { probe: "tcp", interval: "1h", timeout: "1s" },
      load: {
        source: this.one(["agent", "agent", "nrpe", "none"]),
        interval: this.one(["2s", "5s"]),
        timeout: "1s",
        max_age: this.one(["10s", "60s"]),
      },
      memory: { min_available: this.one(["0", "1GiB", "10%"]), weight: this.one(["0", "1"]) },
      pressure: { max_cpu: this.one(["off", "50%"]) },
      slow_start: this.one(["off", "30s"]),
      outliers: {
        failures: this.one(["off", "2"]),
        ejection: "2s",
        max_ejected: this.one(["25%", "100%"]),
      },
      black_holes: { sessions: this.one(["off", "3"]), hold: "2s" },
      panic: { below: this.one(["off", "50%", "100%"]), last_resort: this.one(["true", "false"]) },
    };
    return poolConfig(pool);
  }

  truthOf(id: string): Truth {
    let truth = this.truths.get(id);
    if (truth === undefined) {
      truth = { load: { kind: "failed", reason: "not yet" }, tunnels: [] };
      this.truths.set(id, truth);
    }
    return truth;
  }

  randomLoad(): LoadResult {
    const takenAtMs = this.clock.now() - 1000 * this.one([0, 0, 0, 3, 100, -5]);
    const sample = {
      load1: this.one([0, 0.37, 3, 12.5, 1e7]),
      takenAtMs,
      ...(this.chance.next() < 0.5 ? { cores: this.one([2, 16]) } : {}),
      ...(this.chance.next() < 0.7
        ? { memoryTotalBytes: 16e9, memoryAvailableBytes: this.one([0, 5e8, 2e9, 15e9]) }
        : {}),
      ...(this.chance.next() < 0.7 ? { cpuPressure: this.one([0, 0.2, 0.9, 1]) } : {}),
    };
    const admin = this.one([undefined, "drain", "maint", "ready", "ready"] as const);
    const health = this.one([undefined, "down", "up", "up"] as const);
    const share = this.one([undefined, 0, 0.01, 0.5, 1, 256]);
    const maxConnections = this.one([undefined, 0, 1]);
    return this.one<LoadResult>([
      { kind: "sample", sample },
      { kind: "sample", sample },
      { kind: "failed", reason: "no answer" },
      { kind: "offline" },
      { kind: "online" },
      {
        kind: "advice",
        advice: {
          ...(admin === undefined ? {} : { admin }),
          ...(health === undefined ? {} : { health }),
          ...(share === undefined ? {} : { share }),
          ...(maxConnections === undefined ? {} : { maxConnections }),
        },
        ...(this.chance.next() < 0.5 ? { sample } : {}),
      },
    ]);
  }

  /** A session is made, as the engine tells it. */
  connect(id: string): void {
    const { pool } = this.controller;
    const member = pool.member(id);
    if (member === undefined) return;
    const tunnel = ++this.#tunnel;
    pool.table.add(member.row, ACTIVE, 1);
    pool.table.add(member.row, TOTAL, 1);
    this.truthOf(id).tunnels.push({ id: tunnel, openedMs: this.clock.now() });
    this.#tell(id, member, { kind: "opened", tunnel });
  }

  fail(id: string): void {
    const member = this.controller.pool.member(id);
    if (member !== undefined) this.#tell(id, member, { kind: "connect_failed" });
  }

  close(id: string): void {
    const member = this.controller.pool.member(id);
    const tunnel = this.truthOf(id).tunnels.shift();
    if (member === undefined || tunnel === undefined) return;
    this.controller.pool.table.add(member.row, ACTIVE, -1);
    this.#tell(id, member, { kind: "closed", tunnel: tunnel.id, openedMs: tunnel.openedMs });
  }

  #tell(id: string, { row }: Member, what: Happening): void {
    const host = `198.51.100.${this.chance.below(250)}`;
    const client = { transport: "tcp", host, port: 1024 } as const;
    const atMs = this.clock.now();
    const where = { frontend: "f", pool: "p", row, backend: id, client, atMs };
    switch (what.kind) {
      case "connect_failed":
        return this.controller.observe({
          ...where,
          ...what,
          failure: "refused",
          message: "refused",
        }, atMs);
      case "opened":
        return this.controller.observe(openedEvent({ ...where, ...what }), atMs);
      case "closed":
        this.controller.observe(
          closedEvent({
            ...where,
            tunnel: what.tunnel,
            bytesToBackend: 100,
            bytesToClient: this.one([0, 0, 5000]),
            durationMs: atMs - what.openedMs,
            reason: this.one(["client_closed", "backend_closed", "backend_closed"]),
          }),
          atMs,
        );
    }
  }

  #sourceOf({ source }: LoadConfig): LoadSource | undefined {
    if (source === "none") return undefined;
    return {
      sample: ({ id }) => Promise.resolve(this.truthOf(id).load),
      forget: () => {},
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  /** Something happens. @returns what, for who has to find out. */
  async step(): Promise<string> {
    const { pool, resilience } = this.controller;
    const nowMs = this.clock.now();
    const ids = pool.members.map(({ backend }) => backend.id);
    const id = ids[Math.floor(this.chance.next() * ids.length)] ?? "";
    const what = this.one(
      ["load", "load", "load", "probes", "fails", "opens", "opens", "closes", "closes", "reload"],
    );
    switch (what) {
      case "load":
        this.truthOf(id).load = this.randomLoad();
        break;
      case "probes": {
        const ok = this.chance.next() < 0.6;
        for (let times = 0; times < 3; times++) {
          resilience.observeProbe(
            id,
            ok ? { ok, latencyMs: 1 } : { ok, failure: "refused", reason: "nobody there" },
            nowMs,
          );
        }
        break;
      }
      case "fails":
        for (let times = this.one([1, 2, 4]); times > 0; times--) this.fail(id);
        break;
      case "opens":
        for (let times = this.one([1, 5]); times > 0; times--) this.connect(id);
        break;
      case "closes":
        for (let times = this.one([1, 3]); times > 0; times--) this.close(id);
        break;
      case "reload":
        await this.reload(this.randomConfig());
    }
    const passes = this.one([0, 500, 3000, 12_000]);
    // Whatever has happened is weighed at the end of a turn, or by the next tick.
    await this.clock.advance(1100 + passes);
    return `${what} ${id} +${passes}`;
  }

  async reload(config: PoolConfig): Promise<void> {
    const { controller } = this;
    const before = new Set(controller.pool.members.map(({ backend }) => backend.id));
    const reloading = controller.reconfigure(config);
    for (const { backend: { id } } of controller.pool.members) {
      if (before.has(id)) continue;
      controller.resilience.observeProbe(id, { ok: true, latencyMs: 1 }, this.clock.now());
      this.connect(id);
    }
    await reloading;
  }
}

function obstaclesOf(member: Member): Set<Obstacle> {
  return new Set<Obstacle>([
    ...member.health.state === "down" ? ["down" as const] : [],
    ...member.holds.keys(),
  ]);
}

function check(world: World): void {
  const { controller, clock } = world;
  const { pool, config } = controller;
  const { table, forgiven } = pool;
  const report = reportPool(controller, [], NO_OVERRIDES, clock.now(), clock.wall());
  const reports = new Map(report.backends.map((one) => [one.id, one]));
  for (const cause of NEVER_FORGIVEN) assert(!forgiven.has(cause), `forgives ${cause}`);
  assert(!forgiven.has("down") || config.panic.lastResort, "tries what is down");
  assertEquals(report.panic === null, forgiven.size === 0);
  for (const member of pool.members) {
    const { backend: { id, weight }, row } = member;
    const isEligible = table.read(row, ELIGIBLE) === 1;
    const told = reports.get(id);
    const obstacles = [...obstaclesOf(member)].filter((one) => !forgiven.has(one));
    const shouldBe = obstacles.length === 0 && weight !== 0;
    assertEquals(isEligible, shouldBe, `${id}: ${obstacles}`);
    assertEquals(told?.usable, isEligible, id);
    const standing = STANDINGS[table.read(row, STANDING)];
    assertEquals(standing === "ready", isEligible, `${id} stands ${standing}`);
    if (!isEligible) {
      const [cause] = obstacles.filter((one) => one !== "down");
      const expected = member.health.state === "down"
        ? `${member.healthReason}${weight === 0 ? "; and its weight is 0" : ""}`
        : cause === undefined
        ? "its weight is 0"
        : member.holds.get(cause)?.reason;
      assertEquals(told?.reason, expected, `${id} is kept out by ${obstacles}`);
    }
    checkOwners(world, member);
    const free = table.freeMilliCores(row);
    assert(Number.isFinite(free) && table.read(row, COST_MILLI_CORES) >= 0, `${id} ${free}`);
    assert(told?.free === null || free !== UNKNOWN_FREE, id);
    assert(told !== undefined && told.weight >= 0 && told.weight <= 256, id);
  }
  for (const { row } of pool.leaving) assertEquals(table.read(row, ELIGIBLE), 0);
  if (pool.members.some(({ row }) => table.read(row, ELIGIBLE) === 1)) return;
  for (const member of pool.members) {
    const obstacles = obstaclesOf(member);
    const isOurs = [...obstacles].every((one) => OWN.has(one));
    const { id, weight } = member.backend;
    assert(!isOurs || weight === 0, `nobody is left, and ${id} is held for ${[...obstacles]}`);
  }
}

/** Nothing keeps a backend out, or changes what it gets, whose owner is gone. */
function checkOwners({ controller, clock }: World, member: Member): void {
  const { pool, config, resilience } = controller;
  const { backend: { id }, holds, load, row } = member;
  const nowMs = clock.now();
  const until = (cause: "outlier" | "black_hole") => resilience.heldUntilMs(id, cause);
  // What time alone changes is noticed by the next tick.
  const sample = pool.freshLoad(member, nowMs - 1100);
  assert(!holds.has("outlier") || (until("outlier") ?? -1) > nowMs - 1100, `${id} outlier`);
  const trialMs = nowMs - (holds.get("black_hole")?.sinceMs ?? nowMs);
  assert((until("black_hole") ?? nowMs) > nowMs - 1100 && trialMs < 200_000, `${id} black hole`);
  assert(!holds.has("outlier") || config.outliers.failures > 0, `${id} outlier`);
  assert(!holds.has("black_hole") || config.blackHoles.sessions > 0, `${id} black hole`);
  assert(!holds.has("memory") || sample?.memoryAvailableBytes !== undefined, `${id} memory`);
  assert(!holds.has("pressure") || config.pressure.maxCpu !== undefined, `${id} pressure`);
  assert(!holds.has("pressure") || sample?.cpuPressure !== undefined, `${id} pressure`);
  assertEquals(holds.has("agent"), member.agent?.objection !== undefined, `${id} agent`);
  const offlineMs = nowMs - member.offlineSaidMs;
  assert(!holds.has("offline") || offlineMs <= config.load.maxAgeMs + 1100, `${id} offline`);
  const { source } = config.load;
  assert(source !== "none" || (load === undefined && member.agent === undefined), `${id} load`);
  assert(source === "nrpe" || member.loadDoubt === undefined, `${id} doubt`);
  assert(config.slowStartMs > 0 || member.share === 1, `${id} share`);
  assertEquals(pool.table.read(row, MAX_CONNECTIONS), pool.maxConnectionsOf(member), id);
}

Deno.test("whatever comes together, nobody is used who must not be, and somebody is who can be", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    await using world = await World.start(seed);
    const done: string[] = [];
    for (let step = 0; step < STEPS; step++) {
      done.push(await world.step());
      try {
        check(world);
      } catch (error) {
        const last = [...done.slice(-6), ...world.log.slice(-12)].join("\n");
        throw new Error(`seed ${seed}, step ${step}: ${error}\n${last}`, { cause: error });
      }
    }
    await world.clock.advance(QUIET_MS);
    const lines = world.log.length;
    await world.clock.advance(60_000);
    assertEquals(world.log.slice(lines), [], `seed ${seed}: goes on talking`);
    check(world);
  }
});
