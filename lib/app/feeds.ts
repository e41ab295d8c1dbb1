// The feeds of all pools: makes, keeps and ends them as the configuration says, and lays the backends that their
// tokens name into it.

import { completeAddress, withDefaults } from "../config/build.ts";
import { type BackendConfig, type Config, isFed } from "../config/config.ts";
import { describeLoop } from "../config/loops.ts";
import { defaultPortOf } from "../config/references.ts";
import type { Clock, Random } from "../core/timing/clock.ts";
import { formatAddress } from "../core/values/address.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { parseEntry } from "../discovery/entries.ts";
import type { EngineEvent } from "../engine/engine.ts";
import type { LogArea } from "../log/setup.ts";
import type { Pools } from "./pools.ts";
import { PoolFeed } from "./pool_feed.ts";

export interface FeedsParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: LogArea;
  /** The configuration that is in effect. */
  readonly config: () => Config;
  readonly pools: () => Pools;
  /** Has a pool take in what its feed names, in turn with reloads and orders. */
  readonly join: (pool: string) => Promise<void>;
}

export class Feeds implements AsyncDisposable {
  readonly #parts: FeedsParts;
  readonly #feeds = new Map<string, PoolFeed>();

  constructor(parts: FeedsParts) {
    this.#parts = parts;
  }

  get(pool: string): PoolFeed | undefined {
    return this.#feeds.get(pool);
  }

  /** A configuration with the backends that tokens have named. */
  applied(config: Config): Config {
    if (this.#feeds.size === 0) return config;
    const pools = config.pools.map((pool) => {
      const feed = isFed(pool) ? this.#feeds.get(pool.name) : undefined;
      return feed === undefined ? pool : { ...pool, backends: feed.backends };
    });
    return { ...config, pools };
  }

  /** Pulls as the configuration says, whose pools stand. */
  async follow({ pools }: Config): Promise<void> {
    const { clock, random, log, join } = this.#parts;
    for (const config of pools.filter(isFed)) {
      const { name } = config;
      const pool = this.#parts.pools().get(name)?.pool;
      if (pool === undefined) continue;
      const feed = this.#feeds.get(name) ?? new PoolFeed({
        clock,
        random,
        log,
        pool,
        read: (text) => this.#read(name, text),
        whyFull: (backends) => this.#whyFull(name, backends),
        join: () => join(name),
      });
      this.#feeds.set(name, feed);
      await feed.follow(config.feed);
    }
    const fed = new Set(pools.filter(isFed).map(({ name }) => name));
    const gone = [...this.#feeds].filter(([name]) => !fed.has(name));
    for (const [name] of gone) this.#feeds.delete(name);
    await Promise.all(gone.map(([, feed]) => feed[Symbol.asyncDispose]()));
  }

  /** No clients come any more. */
  rest(): void {
    for (const feed of this.#feeds.values()) feed.rest();
  }

  observe(event: EngineEvent): void {
    if (event.kind === "closed" || event.kind === "connect_failed") {
      this.#feeds.get(event.pool)?.sessionOver();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#feeds.values().map((feed) => feed[Symbol.asyncDispose]()));
  }

  /** Why a pool has no room for these of its feed, and what is ordered besides; undefined: it has. */
  #whyFull(name: string, backends: readonly BackendConfig[]): string | undefined {
    const pools = this.#parts.config().pools.filter((pool) => pool.name === name);
    return this.#parts.pools().whyNotTaken({ pools: pools.map((pool) => ({ ...pool, backends })) });
  }

  /** Reads what a token names: a backend as discovery sources write it, at an address of TCP. */
  #read(pool: string, text: string): Result<BackendConfig> {
    const entry = parseEntry(text);
    if (!entry.ok) return entry;
    const config = this.#parts.config();
    const configured = config.pools.find(({ name }) => name === pool);
    const address = completeAddress(entry.value.address, defaultPortOf(config, pool));
    if (address === undefined) return failure("it names no port: expected host:port");
    if (address.transport !== "tcp") return failure("expected host:port");
    if (configured === undefined) return failure(`there is no pool ${pool} any more`);
    const id = formatAddress(address);
    const frontend = this.#parts.pools().frontendReached(pool, address);
    if (frontend !== undefined) return failure(describeLoop(id, frontend));
    return success({ id, address, ...withDefaults(entry.value, configured.backendDefaults) });
  }
}
