// The pools of the configuration: makes a controller for each that comes, hands all of them a new
// configuration at one instant, ends those that go and keeps their tables for others.

import type { Clock, Random } from "../core/timing/clock.ts";
import { type Backend, MAX_BACKENDS } from "../core/pool/backend.ts";
import { counted } from "../core/values/counted.ts";
import type { Address } from "../core/values/address.ts";
import type { PickTable } from "../core/pick/pick_table.ts";
import {
  type Config,
  type FrontendConfig,
  isFed,
  type LoadConfig,
  type PoolConfig,
} from "../config/config.ts";
import { frontendReached } from "../config/loops.ts";
import type { Engine } from "../engine/engine.ts";
import { ownAddresses } from "../host/own_addresses.ts";
import { alreadyResolved, resolve } from "../host/resolve.ts";
import type { LoadSource } from "../load/load_source.ts";
import type { ServiceLog } from "../log/setup.ts";
import type { DecisionRecorder } from "../record/decision_recorder.ts";
import type { FoundNames } from "./backend_names.ts";
import { BY_TOKEN } from "../strategy/token.ts";
import { PoolController } from "./pool_controller.ts";

export interface PoolsParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: ServiceLog;
  readonly engine: Engine;
  readonly createLoadSource: (config: LoadConfig) => LoadSource | undefined;
}

/** What administrators order of pools. */
export interface Ordering {
  /** A pool's configuration with what is ordered of its backends. */
  applied(configured: PoolConfig): PoolConfig;
  /** A backend's own side says no longer what an administrator has overruled. */
  ownWordChanged(pool: string, backend: string, overruled: string): void;
}

/** What is known of a pool before a configuration takes effect. */
export interface PreparedPool {
  readonly configured: PoolConfig;
  readonly controller: PoolController;
  readonly found: FoundNames;
}

export class Pools implements AsyncDisposable {
  readonly #parts: PoolsParts;
  readonly #recorder: DecisionRecorder;
  readonly #orders: Ordering;
  readonly #weighed: (pool: string) => void;
  readonly #controllers = new Map<string, PoolController>();
  /**
   * Those of pools that have gone. They are used again: V8 does not count shared memory when it decides to
   * collect garbage, and in workers that make none it would never be given back.
   */
  readonly #leftTables: PickTable[] = [];
  /** Those of the configuration, and during a reload of the one to come. */
  #frontends: readonly FrontendConfig[] = [];

  /** @param weighed told of a pool that has been weighed. */
  constructor(
    parts: PoolsParts,
    recorder: DecisionRecorder,
    orders: Ordering,
    weighed: (pool: string) => void,
  ) {
    this.#parts = parts;
    this.#recorder = recorder;
    this.#orders = orders;
    this.#weighed = weighed;
  }

  get(name: string): PoolController | undefined {
    return this.#controllers.get(name);
  }

  [Symbol.iterator](): Iterator<PoolController> {
    return this.#controllers.values();
  }

  /** The frontend at which a connection to a pool's backend would come in again; undefined: none. */
  frontendReached(pool: string, address: Address): string | undefined {
    return frontendReached(this.#frontends, pool, address, ownAddresses());
  }

  /** Why a pool, that of this name, has no room for these backends; undefined: it has. */
  whyFull(name: string, backends: readonly Backend[]): string | undefined {
    if (backends.length > MAX_BACKENDS) {
      return `pool ${name} would have ${backends.length} backends: expected at most ${MAX_BACKENDS}`;
    }
    const pool = this.get(name)?.pool;
    if (pool === undefined || pool.hasRoomFor(backends)) return undefined;
    const sessions = pool.leavingSessions;
    const when = sessions === 0
      ? "so soon after others have left: try again in some seconds"
      : `while those that have left still hold ${counted(sessions, "session")}: try again later`;
    return `pool ${name} has no room for so many new backends ${when}`;
  }

  /** Why a pool has no room for backends that come with a configuration; undefined when all have. */
  whyNotTaken({ pools }: Pick<Config, "pools">): string | undefined {
    return pools.map((pool) => this.whyFull(pool.name, this.#orders.applied(pool).backends))
      .find((why) => why !== undefined);
  }

  /** Makes controllers for pools that have none, and looks up whatever backends need. Nothing changes. */
  prepare({ pools, frontends }: Config, signal?: AbortSignal): Promise<PreparedPool[]> {
    this.#frontends = frontends;
    return Promise.all(pools.map(async (configured) => {
      const config = this.#orders.applied(configured);
      const controller = this.get(config.name) ?? this.#makeController(config);
      return { configured, controller, found: await controller.find(config, signal) };
    }));
  }

  /** Gives up what was prepared; the configuration of before goes on. */
  async giveUp(pools: readonly PreparedPool[], before: Config): Promise<void> {
    this.#frontends = before.frontends;
    const standing = new Set(this);
    await Promise.all(
      pools.map(({ controller }) =>
        standing.has(controller) ? undefined : this.#retire(controller)
      ),
    );
  }

  /**
   * Makes these the pools, at once.
   * @returns what resolves when those that are gone have ended.
   */
  take(pools: readonly PreparedPool[]): Promise<unknown> {
    const gone = new Map(this.#controllers);
    this.#controllers.clear();
    for (const { configured, controller, found } of pools) {
      const { name } = configured;
      gone.delete(name);
      this.#controllers.set(name, controller);
      controller.take(this.#orders.applied(configured), found);
    }
    return Promise.all(
      gone.entries().map(([name, controller]) => {
        this.#parts.engine.withdraw(name);
        this.#recorder.forget(name);
        this.#parts.log.area("pool").info(`${name}: is no longer configured, its sessions go on`);
        return this.#retire(controller);
      }),
    );
  }

  /**
   * Places clients on the backends that a pool is configured with now.
   * @returns what resolves when the rounds of probes go by it.
   */
  async retake(configured: PoolConfig, found: FoundNames): Promise<void> {
    const controller = this.get(configured.name);
    if (controller === undefined) return;
    const asked = signatureOf(controller.config);
    const config = this.#orders.applied(configured);
    controller.take(config, found);
    if (signatureOf(config) !== asked) await controller.start();
  }

  /** Looks up the names of backends that are new to a pool. */
  find(configured: PoolConfig): Promise<FoundNames> {
    const controller = this.get(configured.name);
    return controller?.find(this.#orders.applied(configured)) ?? Promise.resolve(new Map());
  }

  /** Starts, keeps or replaces what goes the rounds in each. */
  async start(): Promise<void> {
    await Promise.all(this.#controllers.values().map((controller) => controller.start()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#controllers.values().map((controller) => controller[Symbol.asyncDispose]()),
    );
  }

  async #retire(controller: PoolController): Promise<void> {
    this.#leftTables.push(controller.pool.table);
    await controller[Symbol.asyncDispose]();
  }

  /** A table that no client needs any more, if there is one. */
  #spareTable(): PickTable | undefined {
    const at = this.#leftTables.findIndex((table) => !this.#parts.engine.uses(table));
    const [table] = at < 0 ? [] : this.#leftTables.splice(at, 1);
    table?.clear();
    return table;
  }

  #makeController(pool: PoolConfig): PoolController {
    const { clock, random, log, engine, createLoadSource } = this.#parts;
    const table = this.#spareTable();
    return new PoolController(pool, {
      clock,
      random,
      log: log.area("pool"),
      createLoadSource,
      resolve,
      alreadyResolved,
      ...(table === undefined ? {} : { table }),
      frontendReached: (address) => this.frontendReached(pool.name, address),
      ownWordChanged: (id, overruled) => this.#orders.ownWordChanged(pool.name, id, overruled),
      publish: (plan) => engine.publish(pool.name, plan),
      weighed: (weighed, config, view) => {
        const seen = isFed(config) ? { ...config, strategy: BY_TOKEN.name } : config;
        this.#recorder.weighed(weighed, seen, view);
        this.#weighed(pool.name);
      },
    });
  }
}

/** What the rounds of probes and samples go by. */
function signatureOf({ backends }: PoolConfig): string {
  return JSON.stringify(backends.map(({ id, admin }) => [id, admin === "disabled"]));
}
