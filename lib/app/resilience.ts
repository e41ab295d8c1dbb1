// The watches of one pool over its backends, in the one order in which they run: what the engine, probes
// and samples show goes in, what is to be told comes out; effects are holds and shares in the Pool.

import { formatAddress } from "../core/values/address.ts";
import { BlackHoles, type SessionEnd } from "../core/watch/black_holes.ts";
import { FrozenLoads } from "../core/watch/frozen_loads.ts";
import type { ProbeResult } from "../core/pool/health.ts";
import { Outliers } from "../core/watch/outliers.ts";
import { judgePanic, type Panic } from "../core/watch/panic.ts";
import { TOTAL } from "../core/pick/pick_table.ts";
import type { HoldCause } from "../core/pool/member.ts";
import type { Pool } from "../core/pool/pool.ts";
import type { PoolChange } from "../core/pool/pool_change.ts";
import { Shortages } from "../core/watch/shortages.ts";
import { SlowStart } from "../core/watch/slow_start.ts";
import { loadSourceKindOf } from "../load/registry.ts";
import type { PoolConfig } from "../config/config.ts";
import { untoldBySources } from "../config/warnings.ts";
import type { EndReason, EngineEvent } from "../engine/engine.ts";

/** A panic that has just begun or ended, in words. */
export interface PanicChange {
  readonly level: "info" | "warning";
  readonly text: string;
}

/** What has changed before a weighing. */
export interface Settled {
  readonly changes: readonly PoolChange[];
  readonly panic: PanicChange | undefined;
}

/** What came of an event. */
export interface Seen {
  readonly changes: readonly PoolChange[];
  /** Whether it changes where sessions may go, so that the pool is to be weighed. */
  readonly matters: boolean;
}

export class Resilience {
  readonly #pool: Pool;
  #config: PoolConfig;
  readonly #outliers: Outliers;
  readonly #blackHoles: BlackHoles;
  readonly #frozenLoads = new FrozenLoads();
  readonly #shortages: Shortages;
  readonly #slowStart = new SlowStart();
  /** Backends that the watches may know. */
  #known: ReadonlySet<string> | undefined;
  #panic: Panic | undefined;

  constructor(pool: Pool, config: PoolConfig) {
    this.#pool = pool;
    this.#config = config;
    this.#shortages = new Shortages(config, untoldBySources(config));
    this.#outliers = new Outliers(outlierRules(config));
    this.#blackHoles = new BlackHoles(blackHoleRules(config));
  }

  /** What is forgiven now because too few backends are left. */
  get panic(): Panic | undefined {
    return this.#panic;
  }

  /** When a hold of this cause ends by itself, by the clock; undefined when it does not. */
  heldUntilMs(id: string, cause: HoldCause): number | undefined {
    if (cause === "outlier") return this.#outliers.untilMs(id);
    return cause === "black_hole" ? this.#blackHoles.untilMs(id) : undefined;
  }

  /** Takes a new configuration in; counts and backoff are kept. */
  setConfig(config: PoolConfig): PoolChange[] {
    this.#config = config;
    this.#shortages.setRules(config, untoldBySources(config));
    return [
      ...this.#outliers.setRules(this.#pool, outlierRules(config)),
      ...this.#blackHoles.setRules(this.#pool, blackHoleRules(config)),
    ];
  }

  /** To be called when the pool's backends have changed: what has left is forgotten. */
  observeBackends(nowMs: number): void {
    const pool = this.#pool;
    const ids = new Set(pool.members.map(({ backend }) => backend.id));
    for (const id of this.#known ?? []) {
      if (ids.has(id)) continue;
      this.#outliers.forget(pool, id);
      this.#blackHoles.forget(pool, id);
      this.#frozenLoads.forget(pool, id);
      this.#slowStart.forget(id);
    }
    for (const id of ids) {
      const joined = this.#known !== undefined && !this.#known.has(id);
      if (joined) this.#slowStart.observe(id, true, true, nowMs);
    }
    this.#known = ids;
  }

  /** Takes in what the engine saw; the pool is told by this as well. */
  observeEvent(event: EngineEvent, nowMs: number): Seen {
    const pool = this.#pool;
    switch (event.kind) {
      case "connect_failed":
      case "opened": {
        const { backend } = event;
        const failure = event.kind === "opened" ? undefined : event.failure;
        let onTrial = false;
        if (event.kind === "opened") {
          const { tunnel, client } = event;
          const host = client.transport === "tcp" ? client.host : formatAddress(client);
          onTrial = this.#blackHoles.opened(pool, backend, tunnel, host, nowMs);
        }
        const changes = [
          ...this.#outliers.observeConnect(pool, backend, failure, nowMs),
          ...pool.observeConnect(backend, failure, nowMs),
        ];
        return { changes, matters: onTrial || changes.length > 0 };
      }
      case "closed": {
        const { backend, tunnel } = event;
        const changes = this.#blackHoles.closed(pool, backend, tunnel, endOf(event), nowMs);
        return { changes, matters: changes.length > 0 };
      }
      default:
        return { changes: [], matters: false };
    }
  }

  /** Takes in a probe's result; the pool is told by this as well. */
  observeProbe(id: string, result: ProbeResult, nowMs: number): PoolChange[] {
    const changes = this.#pool.observeProbe(id, result, nowMs);
    if (!result.ok && this.#pool.member(id)?.health.state === "down") {
      this.#outliers.probesAgree(id);
    }
    return changes;
  }

  /** To be called when a backend's load source has answered, after the pool was told. */
  observeLoad(id: string): PoolChange[] {
    const member = this.#pool.member(id);
    if (member === undefined) return [];
    const backend = this.#config.backends.find((one) => one.id === id);
    const { source } = backend?.load ?? this.#config.load;
    const total = this.#pool.table.read(member.row, TOTAL);
    const isAverage = loadSourceKindOf(source)?.about.isKernelAverage ?? false;
    return this.#frozenLoads.observe(this.#pool, id, member.load, isAverage, total);
  }

  /** Forgets what the load source of a backend has said, as {@linkcode Pool.forgetLoad}. */
  forgetLoad(id: string, reason?: string): PoolChange[] {
    const changes = this.#pool.forgetLoad(id, reason);
    return [...changes, ...this.#frozenLoads.forget(this.#pool, id)];
  }

  /** Lets time pass: samples and sessions grow old, holds end. Wants a call every second or so. */
  tick(nowMs: number): PoolChange[] {
    return [
      ...this.#pool.tick(nowMs),
      ...this.#outliers.tick(this.#pool, nowMs),
      ...this.#blackHoles.tick(this.#pool, nowMs),
    ];
  }

  /**
   * Settles who is short, who is forgiven and whose share is how large; call it before every weighing.
   * Shortages first: a panic counts who is left, and only those that are usable in the end grow their share.
   */
  settle(nowMs: number): Settled {
    const pool = this.#pool;
    const { panic, slowStartMs } = this.#config;
    const changes = this.#shortages.judge(pool, nowMs);
    const before = this.#panic;
    this.#panic = judgePanic(pool, panic);
    for (const member of pool.members) {
      const { id } = member.backend;
      this.#slowStart.observe(id, pool.isUsable(member), false, nowMs);
      member.share = this.#slowStart.share(id, slowStartMs, nowMs);
    }
    return { changes, panic: changeOf(before, this.#panic) };
  }
}

/** Says it when a panic begins or ends, or when more is forgiven than before. */
function changeOf(before: Panic | undefined, now: Panic | undefined): PanicChange | undefined {
  if (now === undefined) {
    return before === undefined
      ? undefined
      : { level: "info", text: "enough backends are usable again: the panic is over" };
  }
  if (before?.forgiven === now.forgiven) return undefined;
  return { level: "warning", text: describePanic(now) };
}

/** A panic in words. */
export function describePanic({ usable, considered, forgiven }: Panic): string {
  const tried = forgiven.has("down")
    ? "those that are down are tried as a last resort"
    : forgiven.has("black_hole")
    ? "black holes are tried"
    : "ejected ones are tried";
  return `panic: only ${usable} of ${considered} backends are usable: ${tried}`;
}

function endOf(event: EngineEvent & { readonly kind: "closed" }): SessionEnd {
  const { bytesToBackend, bytesToClient, durationMs, reason } = event;
  return { bytesToBackend, bytesToClient, durationMs, by: ENDED_BY[reason] };
}

const ENDED_BY: Readonly<Record<EndReason, SessionEnd["by"]>> = {
  client_closed: "client",
  client_reset: "client",
  backend_closed: "backend",
  backend_reset: "backend",
  idle_timeout: "neither",
  shutdown: "neither",
  killed: "neither",
  drained: "neither",
};

/** Ejection contradicts probes; without any, health itself tries again after a while. */
function outlierRules({ outliers, health }: PoolConfig) {
  const { failures, ejectionMs, maxEjectedShare } = outliers;
  return {
    failures: health.probe === "none" ? 0 : failures,
    ejectionMs,
    maxHeldShare: maxEjectedShare,
  };
}

function blackHoleRules({ outliers, blackHoles }: PoolConfig) {
  return { ...blackHoles, maxHeldShare: outliers.maxEjectedShare };
}
