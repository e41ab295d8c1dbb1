// Goes the rounds of one pool's backends: probes them, asks for their loads, and gives the answers to the
// pool and its watches. What a new configuration does not change goes on in its rhythm.

import type { Clock, Random } from "../core/timing/clock.ts";
import { Polling } from "../core/timing/polling.ts";
import { isNews } from "../core/timing/throttled_condition.ts";
import type { Address } from "../core/values/address.ts";
import { OUR_FAULT, OUR_SHORTAGE } from "../core/values/errors.ts";
import type { Result } from "../core/values/result.ts";
import type { LoadResult } from "../core/pool/load.ts";
import { isOverruled, type Member, OWN_WORDS } from "../core/pool/member.ts";
import type { Pool } from "../core/pool/pool.ts";
import type { PoolChange } from "../core/pool/pool_change.ts";
import type { LoadConfig, PoolConfig } from "../config/config.ts";
import { createHealthProbe } from "../health/registry.ts";
import type { LoadSource } from "../load/load_source.ts";
import type { LogArea } from "../log/setup.ts";
import { LoadSources } from "./load_sources.ts";
import type { Resilience } from "./resilience.ts";

export interface RoundsParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: LogArea;
  /** Makes the source that the configuration names; undefined for `none`. */
  readonly createLoadSource: (config: LoadConfig) => LoadSource | undefined;
  readonly resolve: (address: Address, signal: AbortSignal) => Promise<Result<readonly Address[]>>;
  /** Told that a backend's own side no longer says what an administrator has overruled. */
  readonly ownWordChanged?: (id: string, overruled: string) => void;
}

/** What is made anew when its part of the configuration changes. */
interface Pollers {
  readonly config: string;
  readonly stop: () => Promise<void>;
  readonly setBackends: (config: PoolConfig) => Promise<void>;
}

export class Rounds implements AsyncDisposable {
  readonly #pool: Pool;
  readonly #resilience: Resilience;
  readonly #parts: RoundsParts;
  readonly #observed: (changes: readonly PoolChange[]) => void;
  readonly #sources: LoadSources;
  /** Backends that are asked otherwise than before and have not been heard of since. */
  readonly #askedAnew = new Set<string>();
  /** What is remembered of a shortage of ours (core/timing/throttled_condition.ts). */
  readonly #shortage = new Int32Array(1);
  #load: Pollers | undefined;
  #health: Pollers | undefined;

  /** @param observed told after each answer that matters, when the pool and its watches have been. */
  constructor(
    pool: Pool,
    resilience: Resilience,
    parts: RoundsParts,
    observed: (changes: readonly PoolChange[]) => void,
  ) {
    this.#pool = pool;
    this.#resilience = resilience;
    this.#parts = parts;
    this.#observed = observed;
    this.#sources = new LoadSources(parts.createLoadSource);
  }

  /** Starts, keeps or replaces what goes the rounds, as the configuration says. */
  async follow(config: PoolConfig): Promise<void> {
    const { load, health, sendProxy } = config;
    this.#load = await replacePollers(
      this.#load,
      JSON.stringify([load.intervalMs, load.timeoutMs]),
      () => this.#loadPollers(load),
    );
    this.#health = await replacePollers(
      this.#health,
      JSON.stringify([health, sendProxy]),
      () => this.#healthPollers(config),
    );
    for (const { id, admin } of config.backends) {
      if (admin === "disabled") this.#observed(this.#resilience.forgetLoad(id, "it is disabled"));
    }
    const asked = { ...config, backends: askedOf(config) };
    await Promise.all([this.#load?.setBackends(asked), this.#health?.setBackends(asked)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#load?.stop(), this.#health?.stop()]);
    await this.#sources[Symbol.asyncDispose]();
  }

  #loadPollers({ intervalMs, timeoutMs }: LoadConfig): Omit<Pollers, "config"> {
    const { clock, random, resolve } = this.#parts;
    const sources = this.#sources;
    const rounds = new Polling({
      clock,
      random,
      intervalMs,
      timeoutMs,
      run: async (id, signal): Promise<LoadResult | undefined> => {
        const backend = this.#pool.member(id)?.backend;
        const source = sources.of(id);
        if (backend === undefined || source === undefined) return undefined;
        // Looked up here first: look-ups of the source's own have no limit, and with silent name servers
        // they would hold every thread on which files are read.
        const address = sources.addressOf(backend);
        const found = address && await resolve(address, signal);
        if (found?.ok === false) return { kind: "failed", reason: found.message };
        return await source.sample(backend, signal);
      },
      report: (id, result) => {
        if (result === undefined) return;
        if (result.kind === "failed" && result.reason.includes(OUR_SHORTAGE)) {
          this.#tellShortage(id, result.reason);
          return;
        }
        this.#observed([
          ...this.#askedAnew.delete(id) ? this.#resilience.forgetLoad(id) : [],
          ...this.#pool.observeLoad(id, result, clock.now()),
          ...this.#resilience.observeLoad(id),
        ]);
        this.#heedOwnWord(id, result);
      },
    });
    return {
      setBackends: async ({ backends, load }) => {
        const staying = sources.staying(backends, load);
        await rounds.setKeys(staying);
        await sources.assign(backends, load);
        // What was said before holds until there is an answer: who was drained gets nobody in between.
        for (const id of this.#askedAnew) if (!sources.ids.includes(id)) this.#askedAnew.delete(id);
        for (const { id } of backends) {
          if (staying.includes(id)) continue;
          if (sources.of(id) === undefined) this.#observed(this.#resilience.forgetLoad(id));
          else this.#askedAnew.add(id);
        }
        await rounds.setKeys(sources.ids);
      },
      stop: () => rounds[Symbol.asyncDispose](),
    };
  }

  #healthPollers({ health, sendProxy }: PoolConfig): Omit<Pollers, "config"> | undefined {
    const { clock, random } = this.#parts;
    const probe = createHealthProbe({ ...health, sendProxy }, clock);
    if (probe === undefined) return undefined;
    const rounds = new Polling({
      clock,
      random,
      intervalMs: health.intervalMs,
      timeoutMs: health.timeoutMs,
      run: async (id, signal) => {
        const member = this.#pool.member(id);
        if (member === undefined || this.#provenByUse(member, health)) return undefined;
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
        // Nearly every probe says what the one before it said.
        if (changes.length > 0) this.#observed(changes);
      },
    });
    return {
      setBackends: ({ backends }) => rounds.setKeys(backends.map(({ id }) => id)),
      stop: () => rounds[Symbol.asyncDispose](),
    };
  }

  /** What an administrator has overruled counts no more once the backend's side says something else. */
  #heedOwnWord(id: string, { kind }: LoadResult): void {
    const member = this.#pool.member(id);
    const overruled = member?.backend.overrules;
    if (member === undefined || overruled === undefined || kind === "failed") return;
    if (OWN_WORDS.some((cause) => isOverruled(member, cause))) return;
    this.#parts.ownWordChanged?.(id, overruled);
  }

  /** A probe or a question failed for a reason of ours: no verdict, and said once. */
  #tellShortage(id: string, reason: string): void {
    if (!isNews(this.#shortage, 0, this.#parts.clock.now())) return;
    this.#parts.log.error(
      `${this.#pool.name}: cannot ask ${id} how it is: ${reason}; that says nothing of backends, whose ` +
        "health and load stay as they are known",
    );
  }

  /**
   * Whether a real session has just shown what a tcp probe would find out. Such probes are left out:
   * each costs sshd a process and, from OpenSSH 9.8 on, earns our address a penalty for leaving
   * without logging in (PerSourcePenalties). What a banner probe finds out no connect shows.
   */
  #provenByUse(member: Member, { probe, intervalMs }: PoolConfig["health"]): boolean {
    return probe === "tcp" && member.health.state === "up" &&
      member.health.streak === 0 && member.connectFailures === 0 &&
      this.#parts.clock.now() - member.lastConnectedMs < intervalMs;
  }
}

/** Backends that are asked how they are. A disabled one is not asked: it may be switched off. */
export function askedOf({ backends }: PoolConfig): PoolConfig["backends"] {
  return backends.filter(({ admin }) => admin !== "disabled");
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
