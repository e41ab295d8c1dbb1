// The composition root: the one place that knows every part. Starts them, reloads them, ends them.

import { type Address, formatAddress } from "./core/address.ts";
import type { Clock, Random } from "./core/clock.ts";
import { counted } from "./core/counted.ts";
import { messageOf } from "./core/errors.ts";
import { describeChanges } from "./config/changes.ts";
import type { Config, LoadConfig } from "./config/config.ts";
import type { Engine, Frontend } from "./engine/engine.ts";
import type { LoadSource } from "./load/load_source.ts";
import type { AccessLog } from "./log/access_log.ts";
import type { ServiceLog } from "./log/setup.ts";
import type { StatusReport } from "./admin/report.ts";
import type { WhyAnswer } from "./admin/server.ts";
import type { WhyQuery } from "./admin/why_report.ts";
import { DecisionJournal } from "./app/decision_journal.ts";
import { DecisionRecorder } from "./app/decision_recorder.ts";
import { EventLog } from "./app/event_log.ts";
import type { Locations } from "./app/locations.ts";
import { PoolKeeper } from "./app/pool_keeper.ts";
import { reportPool } from "./app/report.ts";
import { alreadyResolved, resolve } from "./host/resolve.ts";
import { VERSION } from "./version.ts";

export interface AppParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: ServiceLog;
  readonly access: AccessLog;
  readonly engine: Engine;
  /** Why this engine and no other. */
  readonly engineReason: string;
  readonly createLoadSource: (config: LoadConfig) => LoadSource | undefined;
}

/** What a reload came to; when it was taken, what it changed in the words of lb.conf. */
export type ReloadOutcome =
  | { readonly ok: true; readonly changes: string }
  | { readonly ok: false; readonly reason: string };

interface LastReload {
  readonly wallMs: number;
  readonly told: { readonly error: string } | { readonly changes: string };
}

export class App implements AsyncDisposable {
  readonly #parts: AppParts;
  readonly #events: Promise<void>;
  readonly #journal: DecisionJournal;
  readonly #recorder: DecisionRecorder;
  readonly #keepers = new Map<string, PoolKeeper>();
  readonly #startedWallMs: number;
  #config: Config;
  #locations: Locations;
  #bound: ReadonlyMap<string, readonly Address[]> = new Map();
  #draining = false;
  #reloads = 0;
  #lastReload: LastReload | undefined;
  /** Reloads run one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  /** @param locations the configuration's, compiled. */
  constructor(config: Config, locations: Locations, parts: AppParts) {
    this.#config = config;
    this.#locations = locations;
    this.#parts = parts;
    this.#startedWallMs = parts.clock.wall();
    this.#journal = new DecisionJournal(this.#strategyOf);
    this.#recorder = new DecisionRecorder(parts.clock, parts.log.area("record"));
    this.#events = this.#readEvents();
  }

  /** Where each frontend listens, port 0 resolved. */
  get bound(): ReadonlyMap<string, readonly Address[]> {
    return this.#bound;
  }

  /**
   * Prepares the pools, opens the frontends, starts the rounds.
   * @param afterBind runs when every address is bound and before any program is started for a load
   * source: the moment to give privileges up.
   * @throws {Error} when an address cannot be bound, or the recording not be written; nothing is left
   * open then but what dispose ends.
   */
  async start(afterBind: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    const keepers = await this.#addPools(this.#config);
    this.#bound = await this.#parts.engine.start(frontendsOf(this.#config, this.#locations));
    await afterBind();
    await this.#recorder.open(this.#config.log.record);
    await Promise.all(keepers.map((keeper) => keeper.start()));
    this.#tellListening();
  }

  /**
   * Takes a new configuration in. Sessions that stand are not touched. When an address cannot be bound,
   * nothing changes and the reason comes back.
   */
  reload(config: Config, locations: Locations): Promise<ReloadOutcome> {
    const reloaded = this.#turn.then(() => this.#reload(config, locations)).catch(
      (error: unknown) =>
        // Nothing that a file says may end the process; what is half done is told.
        this.#refuse(`the reload failed half-way: ${messageOf(error)}`),
    );
    this.#turn = reloaded;
    return reloaded;
  }

  /** Opens the recording anew where its file has been rotated away. */
  async reopenRecording(): Promise<void> {
    await this.#record(this.#config);
  }

  /** Keeps for `status` that a reload was refused, and why. */
  reloadRefused(reason: string): void {
    this.#refuse(reason);
  }

  /** Stops accepting and waits for the last session; aborting the signal cuts what still stands. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#draining = true;
    await this.#turn;
    await this.#parts.engine.drain(signal);
  }

  status(): StatusReport {
    const { clock, engine, engineReason, access, log } = this.#parts;
    const wallMs = clock.wall();
    const counters = engine.counters();
    const { activeByFrontend, ...totals } = counters;
    return {
      version: VERSION,
      pid: Deno.pid,
      state: this.#draining ? "draining" : "running",
      engine: { name: engine.name, reason: engineReason },
      startedAt: new Date(this.#startedWallMs).toISOString(),
      now: new Date(wallMs).toISOString(),
      reload: {
        count: this.#reloads,
        ...(this.#lastReload === undefined
          ? {}
          : { at: new Date(this.#lastReload.wallMs).toISOString(), ...this.#lastReload.told }),
      },
      counters: {
        ...totals,
        logLinesDropped: access.writer.dropped + log.dropped + this.#recorder.dropped,
      },
      frontends: this.#config.frontends.map((frontend) => ({
        name: frontend.name,
        listen: (this.#bound.get(frontend.name) ?? []).map(formatAddress),
        pool: frontend.pool,
        ...this.#locationPools(frontend.name),
        active: activeByFrontend.get(frontend.name) ?? 0,
        maxConnections: frontend.maxConnections,
      })),
      pools: [...this.#keepers.values()].map((keeper) => reportPool(keeper, clock.now(), wallMs)),
    };
  }

  /** Why connections landed where they did. */
  why(query: WhyQuery): WhyAnswer {
    const now = new Date(this.#parts.clock.wall()).toISOString();
    return { version: VERSION, now, decisions: this.#journal.find(query) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn;
    await Promise.all([...this.#keepers.values()].map((keeper) => keeper[Symbol.asyncDispose]()));
    await this.#parts.engine[Symbol.asyncDispose]();
    await this.#events;
    await this.#recorder[Symbol.asyncDispose]();
  }

  async #reload(config: Config, locations: Locations): Promise<ReloadOutcome> {
    const { engine } = this.#parts;
    const before = new Set(this.#keepers.keys());
    const full = config.pools.find((pool) =>
      this.#keepers.get(pool.name)?.pool.hasRoomFor(pool.backends) === false
    );
    if (full !== undefined) {
      return this.#refuse(
        `pool ${full.name} has no room for so many new backends while those that have left still hold ` +
          "sessions: try again later",
      );
    }
    const added = await this.#addPools(config);
    try {
      this.#bound = await engine.start(frontendsOf(config, locations));
    } catch (error) {
      for (const name of this.#keepers.keys()) if (!before.has(name)) await this.#removePool(name);
      return this.#refuse(messageOf(error) + this.#ownListenerHint(config));
    }
    await Promise.all(added.map((keeper) => keeper.start()));
    for (const pool of config.pools) {
      if (before.has(pool.name)) await this.#keepers.get(pool.name)?.reconfigure(pool);
    }
    for (const name of before) {
      if (config.pools.some((pool) => pool.name === name)) continue;
      await this.#removePool(name);
      this.#parts.log.area("pool").info(`${name}: is no longer configured, its sessions go on`);
    }
    await this.#record(config);
    const changes = describeChanges(this.#config, config);
    this.#config = config;
    this.#locations = locations;
    this.#reloads++;
    this.#lastReload = { wallMs: this.#parts.clock.wall(), told: { changes } };
    this.#tellListening();
    return { ok: true, changes };
  }

  /** A recording that cannot be written is no reason to refuse a reload. */
  async #record({ log }: Config): Promise<void> {
    try {
      await this.#recorder.open(log.record);
    } catch (error) {
      this.#parts.log.area("record").error(messageOf(error));
    }
  }

  #refuse(reason: string): ReloadOutcome {
    this.#lastReload = { wallMs: this.#parts.clock.wall(), told: { error: reason } };
    return { ok: false, reason };
  }

  /** ":22" and "192.0.2.1:22" cannot be listened on at once, so the one cannot follow the other by reload. */
  #ownListenerHint(config: Config): string {
    const bound = [...this.#bound.values()].flat();
    const wanted = config.frontends.flatMap(({ listen }) => listen);
    const own = bound.find((address) =>
      address.transport === "tcp" &&
      wanted.some((other) =>
        other.transport === "tcp" && other.port === address.port &&
        other.host !== address.host && !(other.host === "" && address.host === "::")
      )
    );
    return own === undefined
      ? ""
      : ` (this balancer itself listens on ${formatAddress(own)}: such a change takes a restart)`;
  }

  /** Makes keepers for pools that have none, ready for a first client. */
  async #addPools(config: Config): Promise<PoolKeeper[]> {
    const { clock, random, log, engine, createLoadSource } = this.#parts;
    const added = config.pools.filter((pool) => !this.#keepers.has(pool.name)).map((pool) => {
      const keeper = new PoolKeeper(pool, {
        clock,
        random,
        log: log.area("pool"),
        createLoadSource,
        resolve,
        alreadyResolved,
        publish: (plan) => engine.publish(pool.name, plan),
        weighed: (...seen) => this.#recorder.weighed(...seen),
      });
      this.#keepers.set(pool.name, keeper);
      return keeper;
    });
    await Promise.all(added.map((keeper) => keeper.prepare()));
    return added;
  }

  async #removePool(name: string): Promise<void> {
    const keeper = this.#keepers.get(name);
    this.#keepers.delete(name);
    this.#parts.engine.withdraw(name);
    this.#recorder.forget(name);
    await keeper?.[Symbol.asyncDispose]();
  }

  /** The strategy that a pool's kernel ran for, in the words of lb.conf. */
  readonly #strategyOf = (pool: string, kernel: string): string =>
    this.#keepers.get(pool)?.strategyOf(kernel) ?? kernel;

  async #readEvents(): Promise<void> {
    const { log: services, access, clock } = this.#parts;
    await using log = new EventLog(services.area("engine"), access, this.#strategyOf, clock);
    for await (const event of this.#parts.engine.events()) {
      log.write(event);
      if (event.kind === "opened" || event.kind === "refused") this.#journal.note(event);
      this.#recorder.note(event, this.#strategyOf);
      if ("pool" in event) this.#keepers.get(event.pool)?.observe(event);
    }
  }

  /** Where a frontend's clients go by where they come from. */
  #locationPools(frontend: string): { readonly locationPools?: readonly string[] } {
    const locationPools = this.#locations.byFrontend.get(frontend)?.pools.slice(1) ?? [];
    return locationPools.length === 0 ? {} : { locationPools };
  }

  #tellListening(): void {
    const log = this.#parts.log.area("app");
    for (const { name, pool } of this.#config.frontends) {
      const listen = (this.#bound.get(name) ?? []).map(formatAddress).join(", ");
      const keeper = this.#keepers.get(pool);
      const backends = keeper?.config.backends.length ?? 0;
      const { locationPools = [] } = this.#locationPools(name);
      const located = locationPools.length === 0
        ? ""
        : `; by location also ${locationPools.join(", ")}`;
      log.info(
        `frontend ${name} listens on ${listen}: pool ${pool}, ${counted(backends, "backend")}, ` +
          `${keeper?.config.strategy}${located}`,
        { frontend: name, listen },
      );
    }
  }
}

function frontendsOf({ frontends }: Config, { byFrontend }: Locations): Frontend[] {
  return frontends.map(({ name, listen, pool, maxConnections, idleTimeoutMs, socketMode }) => {
    const location = byFrontend.get(name);
    return {
      name,
      listen,
      pool,
      ...(location === undefined ? {} : { location }),
      maxConnections,
      idleTimeoutMs,
      ...(socketMode === undefined ? {} : { socketMode }),
    };
  });
}
