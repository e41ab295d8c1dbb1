// Has discovery sources watched, and pools take in what they name: their lists are merged, looked up and then
// taken in turn with orders and reloads. What does not fit leaves the lists of before in effect.

import { messageOf } from "../core/values/errors.ts";
import { MAX_BACKENDS } from "../core/pool/backend.ts";
import type { Pool } from "../core/pool/pool.ts";
import { waitAtMost } from "../core/timing/with_deadline.ts";
import type { Config, PoolConfig } from "../config/config.ts";
import { frontendReached } from "../config/loops.ts";
import { defaultPortOf } from "../config/references.ts";
import { type DiscoveredBackend } from "../discovery/discovery_source.ts";
import { discoverySource } from "../discovery/registry.ts";
import type { PoolDiscoveryReport } from "../admin/report.ts";
import { ownAddresses } from "../host/own_addresses.ts";
import type { FoundNames } from "./backend_names.ts";
import { type Merged, mergeDiscovered } from "./merged_backends.ts";
import type { Turn } from "./order_parts.ts";
import { SourceWatch, type SourceWatchParts } from "./source_watch.ts";

export interface DiscoveriesParts extends SourceWatchParts {
  /** The configuration of the file that is in effect now. */
  readonly config: () => Config;
  /** Runs when no reload and no order is being carried out. */
  readonly inTurn: <T>(run: () => Promise<Turn<T>>) => Promise<T>;
  /** Looks up the names of backends that are new to a pool. */
  readonly find: (pool: PoolConfig) => Promise<FoundNames>;
  /** Why a pool has no room for these backends; undefined: it has. */
  readonly whyFull: (pool: PoolConfig) => string | undefined;
  /** Places clients on these backends from now on. In a turn. */
  readonly take: (pool: PoolConfig, found: FoundNames) => Promise<void>;
  /** The pool as it stands; undefined: it is gone. */
  readonly pool: (name: string) => Pool | undefined;
}

/** How long a start or a reload waits for the first lists of new sources. */
const FIRST_LISTS_MS = 2000;
/** Lists of a pool are taken so far apart, however fast they change. */
const TAKE_GAP_MS = 200;
/** After so long it is tried again whether lists that did not fit do. */
const RETRY_MS = 1000;
/** How the backends do is reported so far apart. */
const REPORT_GAP_MS = 250;

/** A source with the list of it that is in effect. */
interface Followed {
  readonly key: string;
  readonly watch: SourceWatch;
  inEffect: readonly DiscoveredBackend[];
  /** The one that a configuration is prepared with. */
  planned: readonly DiscoveredBackend[];
}

/** Of each source of a pool, one. */
type Lists = readonly (readonly DiscoveredBackend[])[];

interface Fitting {
  readonly lists: Lists;
  readonly merged: Merged;
  /** Why these are not the latest lists of all sources. */
  readonly why: string | undefined;
}

/** The sources of a configuration, by pool, before it takes effect. */
export type PreparedSources = ReadonlyMap<string, readonly Followed[]>;

/** What is known of a pool's sources besides themselves. */
class Standing {
  /** Lists wait to be taken, or a report to be made. */
  isChanged = false;
  isReportDue = false;
  taking: Promise<void> | undefined;
  reporting: Promise<void> | undefined;
  /** Why the latest lists are not in effect. */
  heldBack: string | undefined;
  leftOut = "";
  reported = "";
}

export class Discoveries implements AsyncDisposable {
  readonly #parts: DiscoveriesParts;
  #sources: PreparedSources = new Map();
  readonly #standings = new Map<string, Standing>();
  readonly #ending = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(parts: DiscoveriesParts) {
    this.#parts = parts;
  }

  /**
   * Begins to watch what a configuration adds, and waits a moment for first lists. What it has already goes on
   * with the lists it has; what stands in the place of a source that leaves goes by its list, until it has one
   * of its own. Nothing changes for clients.
   */
  async prepare(config: Config, signal?: AbortSignal): Promise<PreparedSources> {
    const fresh: SourceWatch[] = [];
    const prepared = new Map(config.pools.map((pool) => {
      const { own: sources, left } = this.#followed(pool);
      const own = sources.map(({ source, key, known }): Followed => {
        if (known !== undefined) return known;
        const clears = pool.onEmpty === "clear";
        const changed = () => this.#wake(pool.name);
        const before = left.find(({ watch }) => watch.kind === source.name) ?? left[0];
        if (before !== undefined) left.splice(left.indexOf(before), 1);
        const last = before?.watch.last;
        const watch = new SourceWatch(pool.name, source, clears, this.#parts, changed, last);
        fresh.push(watch);
        return { key, watch, inEffect: watch.backends, planned: watch.backends };
      });
      return [pool.name, own] as const;
    }));
    const spoken = Promise.all(fresh.map(({ spoken }) => spoken));
    await waitAtMost(this.#parts.clock, FIRST_LISTS_MS, spoken, signal);
    return prepared;
  }

  /** A configuration with the backends that those of its sources name which are followed already. */
  preview(config: Config): Config {
    const pools = config.pools.map((pool) => {
      const lists = this.#followed(pool).own.flatMap(({ known }) => known?.inEffect ?? []);
      return lists.length === 0 ? pool : this.#told(pool, this.#merge(config, pool, [lists]));
    });
    return { ...config, pools };
  }

  /** Gives up what was prepared; the sources of before go on. */
  giveUp(prepared: PreparedSources): void {
    this.#endOthers(prepared, this.#sources);
  }

  /** A configuration with the backends that the sources prepared for it name. */
  merged(config: Config, prepared: PreparedSources): Config {
    const pools = config.pools.map((pool) => {
      const sources = prepared.get(pool.name) ?? [];
      if (sources.length === 0) return pool;
      const { lists, merged } = this.#fitting(config, pool, sources);
      sources.forEach((one, at) => one.planned = lists[at] ?? one.inEffect);
      return this.#told(pool, merged);
    });
    return { ...config, pools };
  }

  /** Makes what was prepared what is followed; what is gone ends. At the instant of the switch. */
  take(prepared: PreparedSources, { pools }: Config): void {
    const before = this.#sources;
    this.#sources = prepared;
    for (const { name, onEmpty } of pools) {
      const sources = prepared.get(name) ?? [];
      if (sources.length === 0) this.#standings.delete(name);
      for (const one of sources) {
        one.inEffect = one.planned;
        one.watch.setObeysEmpty(onEmpty === "clear");
      }
      // Lists that came meanwhile, or did not fit, and what the sources have to be told.
      if (sources.length > 0) this.#wake(name);
      const standing = this.#standings.get(name);
      if (standing !== undefined) standing.reported = "";
    }
    this.#endOthers(before, prepared);
  }

  /** Has sources told how the backends of a pool do, soon. */
  weighed(pool: string): void {
    if (this.#sources.get(pool)?.some(({ watch }) => watch.isReportedTo) !== true) return;
    const standing = this.#standingOf(pool);
    standing.isReportDue = true;
    standing.reporting ??= this.#reports(pool, standing);
  }

  /** What is known of a pool's sources. */
  report(pool: string): PoolDiscoveryReport {
    const { clock } = this.#parts;
    const counts = new Map<string, number>();
    const discovery = (this.#sources.get(pool) ?? []).map(({ watch }) => {
      const status = watch.status(clock.now(), clock.wall());
      const count = (counts.get(status.name) ?? 0) + 1;
      counts.set(status.name, count);
      // Metrics must not have two of a name.
      return count === 1 ? status : { ...status, name: `${status.name} (${count})` };
    });
    return {
      discovery,
      discoveryHeld: this.#standings.get(pool)?.heldBack ?? null,
    };
  }

  /** Watches nothing any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#endOthers(this.#sources, new Map());
    this.#sources = new Map();
    const standings = [...this.#standings.values()];
    await Promise.all(standings.flatMap(({ taking, reporting }) => [taking, reporting]));
    await Promise.all(this.#ending);
  }

  /** The sources of a pool, with those of them that are followed already, and those that it has no more. */
  #followed({ name, discovery }: PoolConfig) {
    const left = [...this.#sources.get(name) ?? []];
    const own = discovery.map((source) => {
      const key = JSON.stringify(discoverySource.write(source));
      const at = left.findIndex((known) => known.key === key);
      const [known] = at < 0 ? [] : left.splice(at, 1);
      return { source, key, known };
    });
    return { own, left };
  }

  /**
   * What a pool has room for of its sources' latest lists. One that does not fit holds up no other, and is no
   * reason to have nobody.
   */
  #fitting(config: Config, pool: PoolConfig, sources: readonly Followed[]): Fitting {
    const latest = sources.map(({ watch }) => watch.backends);
    const tried = (lists: Lists): Fitting => {
      const merged = this.#merge(config, pool, lists);
      return { lists, merged, why: this.#parts.whyFull({ ...pool, backends: merged.backends }) };
    };
    const all = tried(latest);
    const { why } = all;
    if (why === undefined) return all;
    let fitting = { ...tried(sources.map(({ inEffect }) => inEffect)), why };
    for (const [at, list] of latest.entries()) {
      if (list === fitting.lists[at]) continue;
      const one = tried(fitting.lists.with(at, list));
      if (one.why === undefined) fitting = { ...one, why };
    }
    if (fitting.merged.backends.length > 0) return fitting;
    let room = MAX_BACKENDS;
    const first = tried(latest.map((list) => {
      const part = list.slice(0, room);
      room -= part.length;
      return part;
    }));
    return first.why === undefined ? { ...first, why } : fitting;
  }

  #merge(config: Config, pool: PoolConfig, lists: Lists): Merged {
    const own = ownAddresses();
    return mergeDiscovered(
      pool,
      lists,
      defaultPortOf(config, pool.name),
      (address) => frontendReached(config.frontends, pool.name, address, own),
    );
  }

  /** The pool with these backends; what is left out is said. */
  #told(pool: PoolConfig, { backends, leftOut }: Merged): PoolConfig {
    this.#tellLeftOut(pool.name, leftOut);
    return { ...pool, backends };
  }

  #endOthers(before: PreparedSources, after: PreparedSources): void {
    const kept = new Set([...after.values()].flat().map(({ watch }) => watch));
    for (const { watch } of [...before.values()].flat()) {
      if (kept.has(watch)) continue;
      const ended = watch[Symbol.asyncDispose]().finally(() => this.#ending.delete(ended));
      this.#ending.add(ended);
    }
  }

  #standingOf(pool: string): Standing {
    let standing = this.#standings.get(pool);
    if (standing === undefined) this.#standings.set(pool, standing = new Standing());
    return standing;
  }

  /** Has the lists of a pool taken in, at once or with those that change meanwhile. */
  #wake(pool: string): void {
    // What a configuration brings that is not in effect yet comes with it.
    if (!this.#sources.has(pool) || this.#stop.signal.aborted) return;
    const standing = this.#standingOf(pool);
    standing.isChanged = true;
    standing.taking ??= this.#takes(pool, standing);
  }

  async #takes(pool: string, standing: Standing): Promise<void> {
    const { log, clock } = this.#parts;
    const { signal } = this.#stop;
    while (standing.isChanged && !signal.aborted) {
      standing.isChanged = false;
      let why: string | undefined;
      try {
        why = await this.#takeLists(pool);
      } catch (error) {
        why = messageOf(error);
      }
      if (why !== undefined && standing.heldBack === undefined) {
        log.warning(`${pool}: keeps the backends of before: ${why}`, { pool });
      } else if (why === undefined && standing.heldBack !== undefined) {
        log.info(`${pool}: takes the backends that its sources name again`, { pool });
      }
      standing.heldBack = why;
      if (why !== undefined) standing.isChanged = true;
      await clock.sleep(why === undefined ? TAKE_GAP_MS : RETRY_MS, signal).catch(() => {});
    }
    standing.taking = undefined;
  }

  /** @returns why not all of the lists that there are now are taken. */
  async #takeLists(name: string): Promise<string | undefined> {
    const { config, find, inTurn, take, whyFull } = this.#parts;
    const sources = this.#sources.get(name) ?? [];
    const configured = () => {
      // A reload has taken what its sources name already.
      if (this.#sources.get(name) !== sources) return undefined;
      return config().pools.find((one) => one.name === name);
    };
    const pool = configured();
    if (pool === undefined || sources.every(({ watch, inEffect }) => inEffect === watch.backends)) {
      return undefined;
    }
    const { lists, merged, why } = this.#fitting(config(), pool, sources);
    const first = this.#told(pool, merged);
    if (sources.every(({ inEffect }, index) => inEffect === lists[index])) return why;
    // Who orders something does not wait for names. What is named meanwhile is looked up the next time:
    // without addresses it would stand in for those that it replaces.
    const found = await find(first);
    return await inTurn(() => {
      const pool = configured();
      const now = pool && this.#told(pool, this.#merge(config(), pool, lists));
      const full = now && whyFull(now);
      if (now === undefined || full !== undefined || this.#stop.signal.aborted) {
        return Promise.resolve({ value: full });
      }
      for (const [index, one] of sources.entries()) one.inEffect = lists[index] ?? one.inEffect;
      return Promise.resolve({ value: why, rest: take(now, found) });
    });
  }

  #tellLeftOut(pool: string, leftOut: readonly string[]): void {
    const standing = this.#standingOf(pool);
    const text = leftOut.join("\n");
    if (standing.leftOut === text) return;
    standing.leftOut = text;
    const [first] = leftOut;
    if (first === undefined) return;
    const more = leftOut.length > 1 ? ` (and ${leftOut.length - 1} more)` : "";
    this.#parts.log.warning(`${pool}: ${first}${more}`, { pool });
  }

  async #reports(name: string, standing: Standing): Promise<void> {
    const { clock, pool } = this.#parts;
    while (standing.isReportDue && !this.#stop.signal.aborted) {
      await clock.sleep(REPORT_GAP_MS, this.#stop.signal).catch(() => {});
      standing.isReportDue = false;
      const told = (this.#sources.get(name) ?? []).filter(({ watch }) => watch.isReportedTo);
      const one = pool(name);
      if (told.length === 0 || one === undefined) continue;
      const backends = one.members.map((member) => ({
        id: member.backend.id,
        isUsable: one.isUsable(member),
      }));
      const text = JSON.stringify(backends);
      if (text === standing.reported) continue;
      standing.reported = text;
      for (const { watch } of told) watch.report(backends);
    }
    standing.reporting = undefined;
  }
}
