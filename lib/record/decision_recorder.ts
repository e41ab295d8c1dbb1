// Writes recordings (record_format.ts says what they hold): listens to pools and events, tells what has
// changed, begins anew when lines were lost.

import { formatAddress } from "../core/values/address.ts";
import type { Clock } from "../core/timing/clock.ts";
import { messageOf } from "../core/values/errors.ts";
import type { LoadSample } from "../core/pool/load.ts";
import { ACTIVE } from "../core/pick/pick_table.ts";
import type { Member } from "../core/pool/member.ts";
import type { Pool } from "../core/pool/pool.ts";
import { standingOf } from "../core/pool/standing.ts";
import { toThousandths } from "../core/values/thousandths.ts";
import type { DecisionEvent, EngineEvent } from "../engine/engine.ts";
import { AppendFile } from "../log/append_file.ts";
import { BatchWriter } from "../log/batch_writer.ts";
import type { LogArea } from "../log/setup.ts";
import type { PoolView } from "../core/pool/member_view.ts";
import { VERSION } from "../version.ts";
import { reportPick, type StrategyOf } from "../core/pick/pick_report.ts";
import {
  type BackendState,
  type PickLine,
  type PoolLine,
  READY,
  RECORD_BEGINNING,
  RECORD_VERSION,
  type RecordedSample,
  type RecordLine,
} from "./record_format.ts";
import type { KernelRules } from "../core/pick/table_rules.ts";

/** What a recording says of a pool's configuration. */
export interface RecordedPoolConfig extends KernelRules {
  readonly strategy: string;
  readonly fallback: string;
  readonly load: { readonly intervalMs: number; readonly maxAgeMs: number };
  readonly memory: { readonly weight: number };
  readonly queue: { readonly timeoutMs: number };
  /** Whether pressure corrects loads. */
  readonly pressure: { readonly correctLoad: boolean };
}

/** After a loss, so long nothing is written: then the recording begins anew. */
const RESUME_MS = 1000;
/** An event that seems older was stamped before the wall clock was set. */
const OLDEST_EVENT_MS = 60_000;

/** The wall clock tells whole milliseconds, and is set or slewed at times. */
const SAME_OFFSET_MS = 2;

interface KnownPool {
  config: RecordedPoolConfig;
  pool: Pool;
  /** What its strategy was shown last. */
  view: PoolView;
  /** What its last `pool` line said, without what changes all the time. */
  written: string;
  readonly backends: Map<string, { state: string; takenAtMs: number }>;
}

export class DecisionRecorder implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #log: LogArea;
  readonly #pools = new Map<string, KnownPool>();
  /** Pools that the recording knows of since it began, those that have left since included. */
  readonly #told = new Set<string>();
  #file: AppendFile | undefined;
  #writer: BatchWriter | undefined;
  /** Lines lost, those of files that were closed included. */
  #lost = 0;
  #lostSeen = 0;
  /** What leads from the wall clock to the one that only goes forward. */
  #wallOffset = Infinity;
  /** When to begin anew after a loss; NaN while lines are written. */
  #resumeAtMs = NaN;
  /** Since when a recording that had failed seems to be written again; NaN when none has failed. */
  #mendedMs = NaN;

  constructor(clock: Clock, log: LogArea) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Lines that could not be written. */
  get dropped(): number {
    return this.#lost + (this.#writer?.dropped ?? 0);
  }

  /**
   * Records to a file from now on, undefined: no more. A file that has been rotated away is opened anew,
   * one that is where it was goes on.
   * @throws {Error} when it cannot be written to; then what was recorded to before goes on.
   */
  async open(path: string | undefined): Promise<void> {
    if (path !== undefined && this.#file?.path === path && await this.#file.isAt(path)) return;
    let file: AppendFile | undefined;
    if (path !== undefined) {
      try {
        file = await AppendFile.open(path, RECORD_BEGINNING);
      } catch (error) {
        throw new Error(`Cannot record to "${path}": ${messageOf(error)}`);
      }
    }
    const { dropped } = this;
    const before = { file: this.#file, writer: this.#writer };
    this.#file = file;
    this.#writer = file && new BatchWriter(file);
    this.#lost = dropped;
    this.#lostSeen = dropped;
    this.#resumeAtMs = NaN;
    this.#mendedMs = NaN;
    if (file !== undefined) {
      this.#log.info(`records decisions to ${file.path}`);
      this.#begin();
    }
    await before.writer?.flush();
    before.file?.[Symbol.dispose]();
  }

  /** A pool has been weighed: what has changed since the last time is recorded. */
  weighed(pool: Pool, config: RecordedPoolConfig, view: PoolView): void {
    let known = this.#pools.get(pool.name);
    if (known?.pool !== pool) {
      known = { config, pool, view, written: "", backends: new Map() };
      this.#pools.set(pool.name, known);
    }
    known.config = config;
    known.view = view;
    if (!this.#writable()) return;
    if (signatureOf(known) !== known.written) this.#writePool(known);
    else this.#writeChanges(known);
  }

  /** A pool is no longer configured. */
  forget(pool: string): void {
    this.#pools.delete(pool);
  }

  note(event: EngineEvent, strategyOf: StrategyOf): void {
    if (!this.#writable()) return;
    // A session may outlive its pool, and the recording that knew it: a reader could make nothing of it.
    if ("pool" in event && !this.#told.has(event.pool)) return;
    switch (event.kind) {
      case "opened": {
        const { tunnel, frontend, pool, backend } = event;
        const { t, picks } = this.#pickLines(event, strategyOf);
        const client = formatAddress(event.client);
        const sticky = event.choice.sticky ? { sticky: true } : {};
        this.#write({
          kind: "opened",
          t,
          tunnel,
          frontend,
          pool,
          client,
          backend,
          ...sticky,
          picks,
        });
        return;
      }
      case "refused": {
        const { frontend, pool, reason } = event;
        const { t, picks } = this.#pickLines(event, strategyOf);
        const client = formatAddress(event.client);
        this.#write({ kind: "refused", t, frontend, pool, client, reason, picks });
        return;
      }
      case "closed": {
        const { tunnel, pool, backend, bytesToBackend, bytesToClient, reason } = event;
        this.#write({
          kind: "closed",
          t: this.#timeOf(event.atMs),
          tunnel,
          pool,
          client: formatAddress(event.client),
          backend,
          sent: bytesToBackend,
          received: bytesToClient,
          duration_ms: toThousandths(event.durationMs),
          reason,
        });
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.open(undefined);
  }

  /** An event's wall time on the clock of the recording. */
  #timeOf(atMs: number): number {
    const nowMs = this.#clock.now();
    const offset = nowMs - this.#clock.wall();
    // Read anew each time, it would put events that lie less than a millisecond apart in disorder.
    if (Math.abs(offset - this.#wallOffset) > SAME_OFFSET_MS) this.#wallOffset = offset;
    const t = atMs + this.#wallOffset;
    return toThousandths(Math.min(nowMs, Math.max(nowMs - OLDEST_EVENT_MS, t)));
  }

  #pickLines(
    event: DecisionEvent,
    strategyOf: StrategyOf,
  ): { t: number; picks: PickLine[] } {
    const t = this.#timeOf(event.atMs);
    const picks = event.store.chain(event.lastPick).flatMap((trace): PickLine[] => {
      const report = reportPick(trace, event.pool, strategyOf);
      if (report === undefined) return [];
      return [{ t: toThousandths(t - Math.max(0, event.atMs - trace.atMs)), ...report }];
    });
    return { t, picks };
  }

  /** Tells whether lines can be written now; after a loss, begins anew in time. */
  #writable(): boolean {
    if (this.#file === undefined) return false;
    const { dropped } = this;
    const nowMs = this.#clock.now();
    if (dropped !== this.#lostSeen) {
      if (Number.isNaN(this.#mendedMs)) {
        this.#log.error(`the recording cannot be written: ${this.#file.path}, lines are lost`);
      }
      this.#lostSeen = dropped;
      this.#resumeAtMs = nowMs + RESUME_MS;
      this.#mendedMs = this.#resumeAtMs;
    }
    if (Number.isNaN(this.#resumeAtMs)) {
      if (nowMs - this.#mendedMs > RESUME_MS) {
        this.#mendedMs = NaN;
        this.#log.info(`the recording goes on: ${this.#file.path}`);
      }
      return true;
    }
    if (nowMs < this.#resumeAtMs) {
      this.#lost++;
      this.#lostSeen++;
      return false;
    }
    this.#resumeAtMs = NaN;
    this.#begin();
    return true;
  }

  #begin(): void {
    this.#told.clear();
    this.#write({
      kind: "recording",
      version: RECORD_VERSION,
      program: VERSION,
      at: new Date(this.#clock.wall()).toISOString(),
      t: toThousandths(this.#clock.now()),
    });
    for (const known of this.#pools.values()) this.#writePool(known);
  }

  #writePool(known: KnownPool): void {
    const { pool, config, backends } = known;
    known.written = signatureOf(known);
    this.#told.add(pool.name);
    backends.clear();
    const line: PoolLine = {
      kind: "pool",
      t: toThousandths(this.#clock.now()),
      pool: pool.name,
      strategy: config.strategy,
      fallback: config.fallback,
      interval: config.load.intervalMs,
      max_age: config.load.maxAgeMs,
      hash_balance: config.hashBalance,
      sticky: config.sticky.by === "off" ? 0 : config.sticky.ttlMs,
      pace: { sessions: config.pace.sessions, within: config.pace.withinMs },
      queue: config.queue.timeoutMs,
      memory_weight: config.memory.weight,
      backends: pool.members.map((member) => {
        const { load, row } = member;
        const state = this.#stateOf(known, member, load?.takenAtMs);
        backends.set(state.backend, {
          state: JSON.stringify(state),
          takenAtMs: load?.takenAtMs ?? -Infinity,
        });
        return {
          ...state,
          row,
          active: pool.table.read(row, ACTIVE),
          ...(load === undefined ? {} : sampleOf(load, config)),
        };
      }),
    };
    this.#write(line);
  }

  #writeChanges(known: KnownPool): void {
    const { pool, config, backends } = known;
    const t = toThousandths(this.#clock.now());
    for (const member of pool.members) {
      const backend = member.backend.id;
      const written = backends.get(backend);
      if (written === undefined) continue;
      const { load } = member;
      const isNew = load !== undefined && load.takenAtMs > written.takenAtMs;
      if (isNew) written.takenAtMs = load.takenAtMs;
      const state = this.#stateOf(known, member, written.takenAtMs);
      const text = JSON.stringify(state);
      if (text !== written.state) {
        written.state = text;
        this.#write({ kind: "backend", t, pool: pool.name, ...state });
      }
      if (isNew) {
        this.#write({ kind: "sample", t, pool: pool.name, backend, ...sampleOf(load, config) });
      }
    }
  }

  /** @param takenMs when the last sample that was written was taken. */
  #stateOf({ pool, view, config }: KnownPool, member: Member, takenMs = -Infinity): BackendState {
    const seen = view.find(({ row }) => row === member.row);
    const state = standingOf(pool, member);
    const usable = seen?.usable ?? pool.isUsable(member);
    const backupTier = seen?.backupTier ?? 0;
    const weight = seen?.weight ?? pool.weightOf(member);
    const loadWeight = seen?.loadWeight ?? pool.loadWeightOf(member);
    const isYoung = this.#clock.now() - takenMs <= config.load.maxAgeMs;
    return {
      backend: member.backend.id,
      state,
      ...(usable === (state === READY) ? {} : { usable }),
      ...(backupTier === 0 ? {} : { backup: backupTier }),
      cores: pool.coresOf(member).cores,
      ...(weight === 1 ? {} : { weight }),
      ...(loadWeight === weight ? {} : { load_weight: loadWeight }),
      max: pool.maxConnectionsOf(member),
      ...(isYoung && seen !== undefined && seen.load === undefined ? { doubted: true } : {}),
    };
  }

  #write(line: RecordLine): void {
    this.#writer?.line(JSON.stringify(line));
  }
}

function sampleOf(load: LoadSample, { pressure }: RecordedPoolConfig): RecordedSample {
  const { load1, takenAtMs, instant, cpuPressure, sessionCost } = load;
  const { memoryAvailableBytes: available, memoryTotalBytes: total } = load;
  const tellsMemory = available !== undefined && total !== undefined && total > 0;
  const corrects = pressure.correctLoad && cpuPressure !== undefined;
  return {
    load1,
    taken: toThousandths(takenAtMs),
    ...(instant === true ? { instant } : {}),
    ...(corrects ? { cpu_pressure: cpuPressure } : {}),
    ...(sessionCost === undefined ? {} : { session_cost: sessionCost }),
    ...(tellsMemory ? { memory: Math.round(available / total * 1e6) / 1e6 } : {}),
  };
}

/** What makes a new `pool` line necessary. */
function signatureOf({ pool, config }: KnownPool): string {
  const { strategy, fallback, load, hashBalance, sticky, pace, queue, memory } = config;
  const rows = pool.members.map(({ backend, row }) => [backend.id, row]);
  return JSON.stringify([
    [strategy, fallback, load.intervalMs, load.maxAgeMs, memory.weight],
    [hashBalance, sticky, pace, queue.timeoutMs],
    rows,
  ]);
}
