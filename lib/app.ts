// The composition root: the one place that knows every part. Starts them, reloads them, ends them.

import { type Address, formatAddress } from "./core/values/address.ts";
import { counted } from "./core/values/counted.ts";
import { messageOf } from "./core/values/errors.ts";
import type { Administration } from "./core/administration/administration.ts";
import { describeChanges } from "./config/changes.ts";
import type { Config, PoolConfig } from "./config/config.ts";
import type { AccessLog } from "./log/access_log.ts";
import type { MetricsReport } from "./admin/metrics.ts";
import type { StatusReport } from "./admin/report.ts";
import type { StateStore } from "./admin/state_file.ts";
import type { SessionsAnswer, WhyAnswer } from "./admin/routes.ts";
import type { SessionsQuery } from "./admin/session_report.ts";
import type { WhyQuery } from "./admin/why_report.ts";
import type { StandingOrder } from "./app/administration_words.ts";
import { NO_RELOADS, type Reloads } from "./admin/orders.ts";
import { Administrator } from "./app/administrator.ts";
import type { Turn } from "./app/order_parts.ts";
import { DecisionJournal } from "./app/decision_journal.ts";
import { createDiscoverySource } from "./discovery/registry.ts";
import { DecisionRecorder } from "./record/decision_recorder.ts";
import { Discoveries, type PreparedSources } from "./app/discoveries.ts";
import { EventLog } from "./app/event_log.ts";
import type { FoundNames } from "./app/backend_names.ts";
import { Feeds } from "./app/feeds.ts";
import { frontendsOf } from "./app/frontends.ts";
import { fileChanges, type Locations } from "./app/locations.ts";
import { Pools, type PoolsParts, type PreparedPool } from "./app/pools.ts";
import { reportDenials } from "./app/report.ts";
import { findSessions, reportSession } from "./app/sessions.ts";
import { Tally } from "./app/tally.ts";
import { processFigures } from "./host/process_figures.ts";
import { VERSION } from "./version.ts";

export interface AppParts extends PoolsParts {
  readonly access: AccessLog;
  /** Why this engine and no other. */
  readonly engineReason: string;
}

/** What administrators have ordered before this process began, and where it is kept. */
export interface KeptOrders {
  readonly store: StateStore;
  readonly administration: Administration;
}

/** What a reload came to; when it was taken, what it changed in the words of lb.conf. */
export type ReloadOutcome =
  | ReloadEffect & { readonly ok: true }
  | { readonly ok: false; readonly reason: string };

/** What a configuration changes, and which orders stand beside it. */
export interface ReloadEffect {
  readonly changes: string;
  readonly standing: readonly StandingOrder[];
}

/** What a configuration needs before it takes effect. */
interface Prepared {
  /** It with the backends that its discovery sources name. */
  readonly whole: Config;
  readonly sources: PreparedSources;
  readonly pools: readonly PreparedPool[];
}

interface LastReload {
  readonly wallMs: number;
  readonly told: { readonly error: string } | { readonly changes: string };
}

export class App implements AsyncDisposable {
  /** Where admin requests are answered over TCP, for the status. */
  adminHttp: readonly string[] = [];
  /** Carries out what administrators order. */
  readonly orders: Administrator;
  /** How the configuration is read again by request; whoever has read it at first knows. */
  reloads: Reloads = NO_RELOADS;
  readonly #parts: AppParts;
  readonly #events: Promise<void>;
  readonly #journal: DecisionJournal;
  readonly #recorder: DecisionRecorder;
  readonly #tally = new Tally();
  readonly #pools: Pools;
  readonly #feeds: Feeds;
  readonly #startedWallMs: number;
  readonly #discoveries: Discoveries;
  #config: Config;
  /** The same with the backends that discovery sources and feeds name. */
  #whole: Config;
  readonly #started: Config;
  /** What was said of where each frontend listens. */
  #toldListening: ReadonlyMap<string, string> = new Map();
  #locations: Locations;
  #bound: ReadonlyMap<string, readonly Address[]> = new Map();
  #draining = false;
  #reloads = 0;
  #lastReload: LastReload | undefined;
  /** Reloads and orders run one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  /** @param locations the configuration's, compiled. */
  constructor(config: Config, locations: Locations, parts: AppParts) {
    this.#config = config;
    this.#whole = config;
    this.#started = config;
    this.#locations = locations;
    this.#parts = parts;
    this.#startedWallMs = parts.clock.wall();
    this.#journal = new DecisionJournal(this.#strategyOf);
    this.#recorder = new DecisionRecorder(parts.clock, parts.log.area("record"));
    this.#feeds = new Feeds({
      ...parts,
      log: parts.log.area("feed"),
      config: () => this.#config,
      pools: () => this.#pools,
      join: (pool) => this.#join(pool),
    });
    this.orders = new Administrator({
      ...parts,
      log: parts.log.area("admin"),
      inTurn: (run) => this.#inTurn(run),
      turnAway: () => this.#turnAway(),
      config: () => this.#whole,
      pools: () => this.#pools,
      closed: () => this.#draining ? "The balancer is stopping: it takes no orders" : undefined,
    });
    this.#discoveries = new Discoveries({
      ...parts,
      createDiscoverySource,
      log: parts.log.area("discovery"),
      config: () => this.#config,
      inTurn: (run) => this.#inTurn(run),
      find: (pool) => this.#pools.find(pool),
      whyFull: (pool) => this.#pools.whyFull(pool.name, this.orders.applied(pool).backends),
      take: (pool, found) => this.#takeFound(pool, found),
      pool: (name) => this.#pools.get(name)?.pool,
    });
    this.#pools = new Pools(
      parts,
      this.#recorder,
      this.orders,
      (pool) => this.#discoveries.weighed(pool),
    );
    this.#events = this.#readEvents();
  }

  /** The configuration that is in effect. */
  get config(): Config {
    return this.#config;
  }

  /** Where each frontend listens, port 0 resolved. */
  get bound(): ReadonlyMap<string, readonly Address[]> {
    return this.#bound;
  }

  /**
   * Prepares the pools, opens the frontends, starts the rounds.
   * @param beforeAccept runs when every address is bound and before any client is accepted or any program
   * started for a load source: the moment to give privileges up, to open what clients must not leave
   * without a descriptor, and to read what administrators have ordered.
   * @throws {Error} when an address cannot be bound, the recording not be written, or beforeAccept fails;
   * nothing is left open then but what dispose ends.
   */
  async start(
    beforeAccept: () => Promise<KeptOrders | undefined> = () => Promise.resolve(undefined),
  ): Promise<void> {
    let prepared: Prepared = { whole: this.#config, sources: new Map(), pools: [] };
    await this.#switchTo(this.#config, this.#locations, () => prepared, async () => {
      const kept = await beforeAccept();
      if (kept !== undefined) this.orders.restore(kept.store, kept.administration);
      await this.#recorder.open(this.#config.log.record);
      const sources = await this.#discoveries.prepare(this.#config);
      const whole = this.#discoveries.merged(this.#config, sources);
      prepared = { whole, sources, pools: await this.#pools.prepare(whole) };
    });
    await this.#pools.start();
    await this.#feeds.follow(this.#config);
    await this.orders.start();
    this.#tellListening();
  }

  /**
   * Takes a new configuration in. Sessions that stand are not touched. When an address cannot be bound,
   * nothing changes and the reason comes back.
   * @param signal gives the reload up as long as it has not taken effect.
   */
  reload(config: Config, locations: Locations, signal?: AbortSignal): Promise<ReloadOutcome> {
    return this.#inTurn(async () => ({ value: await this.#reload(config, locations, signal) }))
      .catch((error: unknown) =>
        // Nothing that a file says may end the process; what is half done is told.
        this.#refuse(`the reload failed half-way: ${messageOf(error)}`)
      );
  }

  /** What a configuration would change if it were taken in now. */
  effectOf(config: Config, locations: Locations): ReloadEffect {
    const files = fileChanges(this.#locations, locations);
    return {
      changes: describeChanges(this.#config, config, files, this.#started),
      standing: this.orders.standing(
        this.#feeds.applied(this.#discoveries.preview(config)),
        this.#whole,
      ),
    };
  }

  /** Runs what changes pools when nothing else does. @returns its value, maybe before all of it is over. */
  #inTurn<T>(run: () => Promise<Turn<T>>): Promise<T> {
    const running = this.#turn.then(run);
    this.#turn = running.then(({ rest }) => rest).catch(() => {});
    return running.then(({ value }) => value);
  }

  /** Opens the recording anew where its file has been rotated away. */
  async reopenRecording(): Promise<void> {
    await this.#record(this.#config);
  }

  /** Keeps for `status` that a reload was refused, and why. */
  reloadRefused(reason: string): void {
    this.#refuse(reason);
  }

  /**
   * Stops accepting and waits for the last session; aborting the signal cuts what still stands. A reload
   * that has not taken effect yet is given up.
   */
  async drain(signal: AbortSignal): Promise<void> {
    this.#draining = true;
    for (const { scaling } of this.#pools) scaling.stop();
    // Who stands in for this process may keep orders from now on.
    const closed = this.#inTurn(() => Promise.resolve({ value: this.orders.close() }));
    const watched = closed.then(() => this.#discoveries[Symbol.asyncDispose]());
    const drained = this.#parts.engine.drain(signal);
    this.#feeds.rest();
    await drained;
    await watched;
  }

  status(): StatusReport {
    const { clock, engine, engineReason, access, log } = this.#parts;
    const wallMs = clock.wall();
    const nowMs = clock.now();
    const timeOf = (atMs: number) => new Date(wallMs - (nowMs - atMs)).toISOString();
    const counters = engine.counters();
    const { activeByFrontend, ...totals } = counters;
    return {
      version: VERSION,
      pid: Deno.pid,
      state: this.#draining ? "draining" : "running",
      engine: { name: engine.name, reason: engineReason },
      adminHttp: this.adminHttp,
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
        denials: reportDenials(this.orders.administration.denials.get(frontend.name)),
      })),
      pools: Array.from(this.#pools, (controller) => ({
        ...this.orders.report(controller),
        ...this.#discoveries.report(controller.config.name),
        feed: this.#feeds.get(controller.config.name)?.report(timeOf) ?? null,
      })),
      ordersKeptIn: this.orders.keptIn ?? null,
    };
  }

  /** Why connections landed where they did. */
  why(query: WhyQuery): WhyAnswer {
    const now = new Date(this.#parts.clock.wall()).toISOString();
    return { version: VERSION, now, decisions: this.#journal.find(query) };
  }

  /** Who is where. */
  sessions(query: SessionsQuery): SessionsAnswer {
    const { clock, engine } = this.#parts;
    const sessions = findSessions(engine, query).values().map(reportSession);
    return { version: VERSION, now: new Date(clock.wall()).toISOString(), sessions };
  }

  /** What a Prometheus scrapes. */
  metrics(): MetricsReport {
    const { engine } = this.#parts;
    return {
      status: this.status(),
      tally: this.#tally.report(engine.sessions()),
      workers: engine.workers,
      process: processFigures(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#discoveries[Symbol.asyncDispose]();
    await this.#feeds[Symbol.asyncDispose]();
    await this.#turn;
    await this.orders[Symbol.asyncDispose]();
    await this.#pools[Symbol.asyncDispose]();
    await this.#parts.engine[Symbol.asyncDispose]();
    await this.#events;
    await this.#recorder[Symbol.asyncDispose]();
  }

  async #reload(
    config: Config,
    locations: Locations,
    signal?: AbortSignal,
  ): Promise<ReloadOutcome> {
    const before = this.#config;
    const effect = this.effectOf(config, locations);
    const sources = await this.#discoveries.prepare(config, signal);
    const whole = this.#feeds.applied(this.#discoveries.merged(config, sources));
    const full = this.#pools.whyNotTaken(whole);
    if (full !== undefined) {
      this.#discoveries.giveUp(sources);
      return this.#refuse(full);
    }
    const pools = await this.#pools.prepare(whole, signal);
    // From here to the engine's turn nothing is awaited: a drain that begins later closes what this opens.
    const refuse = async (reason: string) => {
      this.#discoveries.giveUp(sources);
      await this.#pools.giveUp(pools, before);
      return this.#refuse(reason);
    };
    if (signal?.aborted) return await refuse(messageOf(signal.reason));
    if (this.#draining) return await refuse("the balancer is draining");
    try {
      await this.#switchTo(config, locations, () => ({ whole, sources, pools }));
    } catch (error) {
      return await refuse(messageOf(error) + this.#ownListenerHint(config));
    }
    await this.#pools.start();
    await this.#feeds.follow(config);
    await this.#record(config);
    this.#forgetTallies();
    this.#reloads++;
    const { changes } = effect;
    this.#lastReload = { wallMs: this.#parts.clock.wall(), told: { changes } };
    this.#tellListening();
    return { ok: true, ...effect };
  }

  /** Has a pool take in the backends that its feed names. */
  #join(name: string): Promise<void> {
    return this.#inTurn(() => {
      const pool = this.#feeds.applied(this.#whole).pools.find((pool) => pool.name === name);
      if (pool === undefined) return Promise.resolve({ value: undefined });
      const full = this.#pools.whyFull(name, this.orders.applied(pool).backends);
      if (full !== undefined) throw new Error(full);
      // Names are looked up afterwards: nobody waits for them.
      return Promise.resolve({ value: undefined, rest: this.#takeFound(pool, new Map()) });
    });
  }

  /** Places clients on a pool's backends of the file, of discovery sources or of its feed. In a turn. */
  async #takeFound(pool: PoolConfig, found: FoundNames): Promise<void> {
    const pools = this.#whole.pools.map((one) => one.name === pool.name ? pool : one);
    this.#whole = { ...this.#whole, pools };
    const taken = this.#pools.retake(pool, found);
    this.#forgetTallies();
    await taken;
  }

  /** Counts no more for what is gone. */
  #forgetTallies(): void {
    this.#tally.forget(
      (pool, backend) => {
        const known = this.#pools.get(pool)?.pool;
        return known !== undefined &&
          (backend === undefined || known.member(backend) !== undefined);
      },
      this.#config.frontends.map(({ name }) => name),
    );
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

  /**
   * Makes a configuration the one that clients go by, frontends and pools at one instant. Resolves when
   * pools that are gone have ended.
   * @throws {Error} when an address cannot be bound, or beforeAccept fails; then nothing has changed.
   */
  async #switchTo(
    config: Config,
    locations: Locations,
    prepared: () => Prepared,
    beforeAccept: () => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    let ended: Promise<unknown> = Promise.resolve();
    const atSwitch = () => {
      const { whole, sources, pools } = prepared();
      ended = this.#pools.take(pools);
      this.#config = config;
      this.#whole = whole;
      this.#discoveries.take(sources, config);
      this.#locations = locations;
    };
    const frontends = () => frontendsOf(config, locations, this.orders.administration);
    this.#bound = await this.#parts.engine.start(frontends(), atSwitch, async () => {
      await beforeAccept();
      // Which may have brought denials.
      return frontends();
    });
    await ended;
  }

  /** Has frontends turn away what administrators deny: every client that comes once it has resolved. */
  async #turnAway(): Promise<void> {
    // Who drains accepts nobody, and must not begin to.
    if (this.#draining) return;
    const { administration } = this.orders;
    await this.#parts.engine.start(frontendsOf(this.#config, this.#locations, administration));
  }

  /** The strategy that a pool's kernel ran for, in the words of lb.conf. */
  readonly #strategyOf = (pool: string, kernel: string): string =>
    this.#pools.get(pool)?.strategyOf(kernel) ?? kernel;

  async #readEvents(): Promise<void> {
    const { log: services, access, clock } = this.#parts;
    await using log = new EventLog(services.area("engine"), access, this.#strategyOf, clock);
    await this.#parts.engine.deliver((event, nowMs) => {
      log.write(event);
      if (event.kind === "opened" || event.kind === "refused") this.#journal.note(event);
      this.#recorder.note(event, this.#strategyOf);
      this.#tally.observe(event);
      if (event.kind !== "accept_failed") this.#pools.get(event.pool)?.observe(event, nowMs);
      this.#feeds.observe(event);
    });
  }

  /** Where a frontend's clients go by where they come from. */
  #locationPools(frontend: string): { readonly locationPools?: readonly string[] } {
    const locationPools = this.#locations.byFrontend.get(frontend)?.pools.slice(1) ?? [];
    return locationPools.length === 0 ? {} : { locationPools };
  }

  #tellListening(): void {
    const log = this.#parts.log.area("app");
    const before = this.#toldListening;
    const now = new Map<string, string>();
    this.#toldListening = now;
    for (const { name, pool } of this.#config.frontends) {
      const listen = (this.#bound.get(name) ?? []).map(formatAddress).join(", ");
      const controller = this.#pools.get(pool);
      const backends = controller?.config.backends.length ?? 0;
      const { locationPools = [] } = this.#locationPools(name);
      const located = locationPools.length === 0
        ? ""
        : `; by location also ${locationPools.join(", ")}`;
      const text = `frontend ${name} listens on ${listen}: pool ${pool}, ` +
        `${counted(backends, "backend")}, ${controller?.strategy}${located}`;
      now.set(name, text);
      if (before.get(name) !== text) log.info(text, { frontend: name, listen });
    }
  }
}
