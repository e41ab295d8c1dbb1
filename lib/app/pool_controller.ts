// Keeps one pool: looks names up, probes, samples, weighs, and publishes the outcome to the engine.
// Everything slow about placement happens here, when something changes, never per connection.

import type { LoadResult } from "../core/pool/load.ts";
import type { Address } from "../core/values/address.ts";
import type { Clock, Random } from "../core/timing/clock.ts";
import { messageOf, OUR_FAULT, OUR_SHORTAGE } from "../core/values/errors.ts";
import { DEFAULT_CAPACITY as ROWS, PickTable } from "../core/pick/pick_table.ts";
import type { Member } from "../core/pool/member.ts";
import { Pool } from "../core/pool/pool.ts";
import type { PoolChange } from "../core/pool/pool_change.ts";
import type { Result } from "../core/values/result.ts";
import { Polling } from "../core/timing/polling.ts";
import { writeStandings } from "../core/pool/standing.ts";
import { STICKY_CLIENTS } from "../core/pick/sticky.ts";
import { isNews } from "../core/timing/throttled_condition.ts";
import type { BackendConfig, LoadConfig, PoolConfig } from "../config/config.ts";
import type { EngineEvent, PoolPlan } from "../engine/engine.ts";
import { createHealthProbe } from "../health/registry.ts";
import type { LoadSource } from "../load/load_source.ts";
import type { LogArea } from "../log/setup.ts";
import { BackendNames, type FoundNames } from "./backend_names.ts";
import { LoadSources } from "./load_sources.ts";
import { type LoadProspect, Placement, viewOf } from "./placement.ts";
import { Resilience } from "./resilience.ts";
import { RulesTicker, TableRules } from "../core/pick/table_rules.ts";
import type { PoolView } from "../strategy/strategy.ts";

export interface PoolControllerParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: LogArea;
  /** Makes the source that the configuration names; undefined for `none`. */
  readonly createLoadSource: (config: LoadConfig) => LoadSource | undefined;
  readonly resolve: (address: Address, signal: AbortSignal) => Promise<Result<readonly Address[]>>;
  readonly alreadyResolved: (address: Address) => boolean;
  /** One that a pool which has gone has left, empty again; absent: one is made. */
  readonly table?: PickTable;
  /** The frontend at which a connection to a backend there would come in again; undefined: none. */
  readonly frontendReached?: (address: Address) => string | undefined;
  /** Hands the engine where the backends are. */
  readonly publish: (plan: PoolPlan) => void;
  /** Told whenever the pool has been weighed, with what the strategy was shown. */
  readonly weighed: (pool: Pool, config: PoolConfig, view: PoolView) => void;
}

/** How often time alone is let work: samples grow old. */
const TICK_MS = 1000;
/** Without probes, a backend that refused is tried again after so many health intervals. */
const RETRY_INTERVALS = 2;
/** Beyond the longest search for a backend, how long a row rests. */
const ROW_REST_MS = 1000;

/** Strategies that go by free cores. */
const COUNTS_CORES: ReadonlySet<string> = new Set(["least_load", "two_choices", "first"]);

/** What is made anew when its part of the configuration changes. */
interface Pollers {
  readonly config: string;
  readonly stop: () => Promise<void>;
  readonly setBackends: (backends: readonly BackendConfig[]) => Promise<void>;
}

export class PoolController implements AsyncDisposable {
  readonly pool: Pool;
  readonly #parts: PoolControllerParts;
  readonly #ticker: Polling<void>;
  readonly #names: BackendNames;
  #config: PoolConfig;
  readonly #placement: Placement;
  readonly #sources: LoadSources;
  /** Backends that are asked otherwise than before and have not been heard of since. */
  readonly #askedAnew = new Set<string>();
  readonly #resilience: Resilience;
  readonly #rules: TableRules;
  readonly #rulesTicker: RulesTicker;
  #load: Pollers | undefined;
  #health: Pollers | undefined;
  #published = "";
  /** What the engine could not take, so that it is said once. */
  #refused = "";
  /** What is remembered of a shortage of ours (core/timing/throttled_condition.ts). */
  readonly #shortage = new Int32Array(1);
  #weighing = false;
  #stopped = false;

  constructor(config: PoolConfig, parts: PoolControllerParts) {
    this.#config = config;
    this.#parts = parts;
    this.#sources = new LoadSources(parts.createLoadSource);
    this.#placement = new Placement(config);
    const table = parts.table ?? PickTable.allocate(ROWS, STICKY_CLIENTS);
    this.pool = new Pool(config.name, rulesOf(config), table);
    this.#resilience = new Resilience(this.pool, config);
    const { clock, random } = parts;
    this.#rules = new TableRules(this.pool.table, clock.now());
    this.#rules.set(config);
    this.#rulesTicker = new RulesTicker(this.#rules, clock);
    this.#ticker = new Polling({
      clock,
      random,
      intervalMs: TICK_MS,
      timeoutMs: TICK_MS,
      run: () => Promise.resolve(),
      report: () => {
        this.#tell(this.#resilience.tick(clock.now()));
        this.#weigh();
      },
    });
    this.#names = new BackendNames(this.pool, parts, (changes) => {
      this.#tell(changes);
      this.#weigh();
    });
  }

  get config(): PoolConfig {
    return this.#config;
  }

  get resilience(): Resilience {
    return this.#resilience;
  }

  get strategyInUse(): string {
    return this.#placement.inUse;
  }

  get burstCost(): number {
    return this.#placement.burstCost;
  }

  /** Looks names up and publishes a first plan, so that the first client finds a place. */
  async prepare(): Promise<void> {
    this.take(this.#config, await this.find(this.#config));
  }

  /** Takes a new configuration in, from the look-ups to the rounds. */
  async reconfigure(config: PoolConfig): Promise<void> {
    // Until it is known where those that join are, those that leave serve.
    this.take(config, await this.find(config));
    await this.start();
  }

  /** Looks up where the backends are that a configuration adds. Nothing changes. */
  find(config: PoolConfig, signal?: AbortSignal): Promise<FoundNames> {
    return this.#names.find(config.backends, signal);
  }

  /** Places clients by a new configuration from now on; what is known of backends that stay is kept. */
  take(config: PoolConfig, found: FoundNames): void {
    this.#config = config;
    this.#placement.setConfig(config);
    this.pool.setRules(rulesOf(config));
    this.#tell(this.#resilience.setConfig(config));
    this.#rules.set(config);
    const nowMs = this.#parts.clock.now();
    this.#tell(this.pool.setBackends(config.backends, nowMs));
    this.#resilience.observeBackends(nowMs);
    this.#tell(this.#names.take(found));
    this.#weighNow();
  }

  /** Starts, keeps or replaces what goes the rounds, as the configuration says. */
  async start(): Promise<void> {
    this.#rulesTicker.start();
    await this.#names.follow();
    this.#load = await replacePollers(
      this.#load,
      JSON.stringify([this.#config.load.intervalMs, this.#config.load.timeoutMs]),
      () => this.#loadPollers(),
    );
    this.#health = await replacePollers(
      this.#health,
      JSON.stringify(this.#config.health),
      () => this.#healthPollers(),
    );
    const { backends } = this.#config;
    await Promise.all([this.#load?.setBackends(backends), this.#health?.setBackends(backends)]);
    await this.#ticker.setKeys(["tick"]);
    this.#weigh();
  }

  /** Takes in what the engine saw. */
  observe(event: EngineEvent): void {
    const seen = this.#resilience.observeEvent(event, this.#parts.clock.now());
    this.#tell(seen.changes);
    if (seen.matters) this.#weigh();
  }

  /** The strategy that a kernel ran for, in the words of lb.conf. */
  strategyOf(kernel: string): string {
    return this.#placement.strategyOf(kernel);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await Promise.all([
      this.#rulesTicker[Symbol.asyncDispose](),
      this.#ticker[Symbol.asyncDispose](),
      this.#names[Symbol.asyncDispose](),
      this.#load?.stop(),
      this.#health?.stop(),
    ]);
    await this.#sources[Symbol.asyncDispose]();
  }

  #loadPollers(): Omit<Pollers, "config"> | undefined {
    const { load } = this.#config;
    const { clock, random } = this.#parts;
    const rounds = new Polling({
      clock,
      random,
      intervalMs: load.intervalMs,
      timeoutMs: load.timeoutMs,
      run: async (id, signal): Promise<LoadResult | undefined> => {
        const backend = this.pool.member(id)?.backend;
        const source = this.#sources.of(id);
        if (backend === undefined || source === undefined) return undefined;
        // Looked up here first: look-ups of the source's own have no limit, and with silent name servers
        // they would hold every thread on which files are read.
        const address = this.#sources.addressOf(backend);
        const found = address && await this.#parts.resolve(address, signal);
        if (found?.ok === false) return { kind: "failed", reason: found.message };
        return await source.sample(backend, signal);
      },
      report: (id, result) => {
        if (result === undefined) return;
        if (result.kind === "failed" && result.reason.includes(OUR_SHORTAGE)) {
          this.#tellShortage(id, result.reason);
          return;
        }
        if (this.#askedAnew.delete(id)) this.#tell(this.#resilience.forgetLoad(id));
        this.#tell(this.pool.observeLoad(id, result, clock.now()));
        this.#tell(this.#resilience.observeLoad(id));
        this.#weigh();
      },
    });
    return {
      setBackends: async (backends) => {
        const { load } = this.#config;
        const sources = this.#sources;
        const staying = sources.staying(backends, load);
        await rounds.setKeys(staying);
        await sources.assign(backends, load);
        // What was said before holds until there is an answer: who was drained gets nobody in between.
        for (const id of this.#askedAnew) if (!sources.ids.includes(id)) this.#askedAnew.delete(id);
        for (const { id } of backends) {
          if (staying.includes(id)) continue;
          if (sources.of(id) === undefined) this.#tell(this.#resilience.forgetLoad(id));
          else this.#askedAnew.add(id);
        }
        await rounds.setKeys(sources.ids);
      },
      stop: () => rounds[Symbol.asyncDispose](),
    };
  }

  #healthPollers(): Omit<Pollers, "config"> | undefined {
    const { health } = this.#config;
    const { clock, random } = this.#parts;
    const probe = createHealthProbe(health, clock);
    if (probe === undefined) return undefined;
    const rounds = new Polling({
      clock,
      random,
      intervalMs: health.intervalMs,
      timeoutMs: health.timeoutMs,
      run: async (id, signal) => {
        const member = this.pool.member(id);
        if (member === undefined || this.#provenByUse(member)) return undefined;
        const { addresses, nameFailure } = member;
        if (addresses.length === 0 && nameFailure !== undefined) {
          return { ok: false, failure: "name_not_found", reason: nameFailure } as const;
        }
        return await probe.run(member.backend, member.addresses, signal);
      },
      report: (id, result) => {
        if (result === undefined) return;
        if (!result.ok && OUR_FAULT.has(result.failure)) {
          this.#tellShortage(id, result.reason);
          return;
        }
        const changes = this.#resilience.observeProbe(id, result, clock.now());
        this.#tell(changes);
        // Nearly every probe says what the one before it said.
        if (changes.length > 0) this.#weigh();
      },
    });
    return {
      setBackends: (backends) => rounds.setKeys(backends.map(({ id }) => id)),
      stop: async () => {
        await rounds[Symbol.asyncDispose]();
        await probe[Symbol.asyncDispose]();
      },
    };
  }

  /** A probe or a question failed for a reason of ours: no verdict, and said once. */
  #tellShortage(id: string, reason: string): void {
    if (!isNews(this.#shortage, 0, this.#parts.clock.now())) return;
    this.#parts.log.error(
      `${this.pool.name}: cannot ask ${id} how it is: ${reason}; that says nothing of backends, whose ` +
        "health and load stay as they are known",
    );
  }

  /**
   * Whether a real session has just shown what a tcp probe would find out. Such probes are left out:
   * each costs sshd a process and, from OpenSSH 9.8 on, earns our address a penalty for leaving
   * without logging in (PerSourcePenalties). What a banner probe finds out no connect shows.
   */
  #provenByUse(member: Member): boolean {
    const { health } = this.#config;
    return health.probe === "tcp" && member.health.state === "up" &&
      member.health.streak === 0 && member.connectFailures === 0 &&
      this.#parts.clock.now() - member.lastConnectedMs < health.intervalMs;
  }

  /** Weighs once at the end of this turn of the event loop, however much has changed in it. */
  #weigh(): void {
    if (this.#weighing) return;
    this.#weighing = true;
    queueMicrotask(() => {
      this.#weighing = false;
      if (!this.#stopped) this.#weighNow();
    });
  }

  #weighNow(): void {
    const nowMs = this.#parts.clock.now();
    this.#publish();
    const prospect = this.#loadProspect();
    if (COUNTS_CORES.has(this.#config.strategy) && !prospect.awaited) {
      this.#tell(this.pool.tellAssumedCores());
    }
    const { changes, panic } = this.#resilience.settle(nowMs);
    this.#tell(changes);
    if (panic !== undefined) this.#parts.log[panic.level](`${this.pool.name}: ${panic.text}`);
    const view = viewOf(this.pool, this.#config, nowMs);
    writeStandings(this.pool);
    const told = this.#placement.weigh(view, this.pool.table, nowMs, prospect);
    for (const { level, text } of told) this.#parts.log[level](`${this.pool.name}: ${text}`);
    this.#parts.weighed(this.pool, this.#config, view);
  }

  /** A pool without a load source may have backends with one of their own. */
  #loadProspect(): LoadProspect {
    const { backends, load } = this.#config;
    const asked = backends.filter(({ load: own = load }) => own.source !== "none");
    const awaited = asked.some(({ id }) => {
      const member = this.pool.member(id);
      return member?.load === undefined && member?.loadFailure === undefined;
    });
    return { asked: asked.length > 0, awaited };
  }

  /** A new plan only when backends or their addresses have changed; numbers travel in the table. */
  #publish(): void {
    const { connect } = this.#config;
    const endpoints: ({ backend: string; addresses: readonly Address[] } | undefined)[] = [];
    for (const member of this.pool.members) {
      endpoints[member.row] = { backend: member.backend.id, addresses: member.addresses };
    }
    const signature = JSON.stringify([connect, endpoints]);
    if (signature === this.#published) return;
    try {
      this.#parts.publish({
        table: this.pool.table,
        endpoints: Array.from(endpoints),
        connectTimeoutMs: connect.timeoutMs,
        connectRetries: connect.retries,
      });
    } catch (error) {
      // The plan of before goes on. No session may end for this, and the next weighing tries again.
      if (this.#refused === signature) return;
      this.#refused = signature;
      this.#parts.log.error(`${this.pool.name}: goes by its old addresses: ${messageOf(error)}`);
      return;
    }
    this.#published = signature;
  }

  #tell(changes: readonly PoolChange[]): void {
    for (const { level, backend, text } of changes) {
      this.#parts.log[level](`${this.pool.name}: ${backend} ${text}`, {
        pool: this.pool.name,
        backend,
      });
    }
  }
}

/** Keeps pollers whose configuration is the same, else stops them and makes new ones. */
async function replacePollers(
  old: Pollers | undefined,
  config: string,
  make: () => Omit<Pollers, "config"> | undefined,
): Promise<Pollers | undefined> {
  if (old?.config === config) return old;
  await old?.stop();
  const made = make();
  return made === undefined ? undefined : { ...made, config };
}

function rulesOf(config: PoolConfig): ConstructorParameters<typeof Pool>[1] {
  const { connect, health, load } = config;
  return {
    rise: health.rise,
    fall: health.fall,
    loadMaxAgeMs: load.maxAgeMs,
    // Each attempt may wait for a descriptor first, for as long again.
    rowRestMs: 2 * (connect.retries + 1) * connect.timeoutMs + ROW_REST_MS,
    ...(health.probe === "none" ? { retryAfterMs: RETRY_INTERVALS * health.intervalMs } : {}),
  };
}
