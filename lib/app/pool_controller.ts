// Keeps one pool: has names looked up and backends asked, weighs, and publishes the outcome to the engine.
// Everything slow about placement happens here, when something changes, never per connection.

import type { Address } from "../core/values/address.ts";
import { messageOf } from "../core/values/errors.ts";
import { DEFAULT_CAPACITY as ROWS, PickTable } from "../core/pick/pick_table.ts";
import { Pool } from "../core/pool/pool.ts";
import type { PoolChange } from "../core/pool/pool_change.ts";
import { Ticker } from "../core/timing/polling.ts";
import { writeStandings } from "../core/pool/standing.ts";
import { QUEUE_SIZE } from "../core/dial/pool_queue.ts";
import { STICKY_CLIENTS } from "../core/pick/sticky.ts";
import { isFed, type PoolConfig } from "../config/config.ts";
import type { EngineEvent, PoolPlan } from "../engine/engine.ts";
import { BackendNames, type BackendNamesParts, type FoundNames } from "./backend_names.ts";
import { type LoadProspect, Placement, viewOf } from "./placement.ts";
import { Resilience } from "./resilience.ts";
import { Scaling } from "./scaling.ts";
import { askedOf, Rounds, type RoundsParts } from "./rounds.ts";
import { type KernelRules, RulesTicker, TableRules } from "../core/pick/table_rules.ts";
import type { PoolView } from "../core/pool/member_view.ts";

export interface PoolControllerParts extends RoundsParts, BackendNamesParts {
  /** One that a pool which has gone has left, empty again; absent: one is made. */
  readonly table?: PickTable;
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

export class PoolController implements AsyncDisposable {
  readonly pool: Pool;
  readonly #parts: PoolControllerParts;
  readonly #ticker: Ticker;
  readonly #names: BackendNames;
  readonly #rounds: Rounds;
  #config: PoolConfig;
  readonly #placement: Placement;
  readonly #resilience: Resilience;
  /** Has backends added and removed. */
  readonly scaling: Scaling;
  readonly #rules: TableRules;
  readonly #rulesTicker: RulesTicker;
  #published = "";
  /** What the engine could not take, so that it is said once. */
  #refused = "";
  #weighing = false;
  #stopped = false;

  constructor(config: PoolConfig, parts: PoolControllerParts) {
    this.#config = config;
    this.#parts = parts;
    this.#placement = new Placement(config);
    const table = parts.table ?? PickTable.allocate(ROWS, STICKY_CLIENTS, QUEUE_SIZE);
    this.pool = new Pool(config.name, rulesOf(config), table);
    this.#resilience = new Resilience(this.pool, config);
    this.scaling = new Scaling(this.pool, config.scale, parts);
    const { clock, random } = parts;
    this.#rules = new TableRules(this.pool.table, clock.now());
    this.#rules.set(kernelRulesOf(config));
    this.#rulesTicker = new RulesTicker(this.#rules, clock);
    this.#ticker = new Ticker(clock, random, TICK_MS, () => {
      this.#tell(this.#resilience.tick(clock.now()));
      this.#weigh();
      this.scaling.tick(clock.now());
    });
    const observed = (changes: readonly PoolChange[]) => {
      this.#tell(changes);
      this.#weigh();
    };
    this.#names = new BackendNames(this.pool, parts, observed);
    this.#rounds = new Rounds(this.pool, this.#resilience, parts, observed);
  }

  get config(): PoolConfig {
    return this.#config;
  }

  get resilience(): Resilience {
    return this.#resilience;
  }

  get strategy(): string {
    return this.#placement.strategy;
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
    this.scaling.setConfig(config.scale);
    this.pool.setRules(rulesOf(config));
    this.#tell(this.#resilience.setConfig(config));
    this.#rules.set(kernelRulesOf(config));
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
    await this.#rounds.follow(this.#config);
    await this.#ticker.start();
    this.#weigh();
  }

  /** Takes in what the engine saw. */
  observe(event: EngineEvent, nowMs: number): void {
    const seen = this.#resilience.observeEvent(event, nowMs);
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
      this.scaling[Symbol.asyncDispose](),
      this.#rounds[Symbol.asyncDispose](),
    ]);
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
    if (COUNTS_CORES.has(this.strategy) && !prospect.awaited) {
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
    const { load } = this.#config;
    const asked = askedOf(this.#config).filter(({ load: own = load }) => own.source !== "none");
    const awaited = asked.some(({ id }) => {
      const member = this.pool.member(id);
      return member?.load === undefined && member?.loadFailure === undefined;
    });
    return { asked: asked.length > 0, awaited };
  }

  /** A new plan only when backends or their addresses have changed; numbers travel in the table. */
  #publish(): void {
    const { connect, queue, sendProxy } = this.#config;
    const endpoints: ({ backend: string; addresses: readonly Address[] } | undefined)[] = [];
    for (const member of this.pool.members) {
      endpoints[member.row] = { backend: member.backend.id, addresses: member.addresses };
    }
    const signature = JSON.stringify([connect, queue, sendProxy, endpoints]);
    if (signature === this.#published) return;
    try {
      this.#parts.publish({
        table: this.pool.table,
        endpoints: Array.from(endpoints),
        connectTimeoutMs: connect.timeoutMs,
        connectRetries: connect.retries,
        queue,
        ...(sendProxy === "off" ? {} : { sendProxy }),
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

/** Where tokens say where clients go, nobody goes where it was before. */
function kernelRulesOf(config: PoolConfig): KernelRules {
  return isFed(config) ? { ...config, sticky: { ...config.sticky, by: "off" } } : config;
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
