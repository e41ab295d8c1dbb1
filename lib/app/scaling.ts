// Has a pool scaled by a command of the site's: hands figures to core/scaling, runs what it orders, and says
// what came of it.

import { ACTIVE, UNKNOWN_FREE } from "../core/pick/pick_table.ts";
import { queuedIn } from "../core/dial/pool_queue.ts";
import type { Member } from "../core/pool/member.ts";
import type { Pool } from "../core/pool/pool.ts";
import { formatCondition, type ScaleFigures } from "../core/scaling/condition.ts";
import { type Direction, Scaler } from "../core/scaling/scaler.ts";
import type { Clock } from "../core/timing/clock.ts";
import { formatDuration } from "../core/values/duration.ts";
import type { PoolConfig } from "../config/config.ts";
import type { ScaleReport } from "../admin/report.ts";
import type { LogArea } from "../log/setup.ts";
import { Errand } from "./errand.ts";

export interface ScalingParts {
  readonly clock: Clock;
  readonly log: LogArea;
}

type ScaleConfig = PoolConfig["scale"];

export class Scaling implements AsyncDisposable {
  readonly #pool: Pool;
  readonly #parts: ScalingParts;
  readonly #scaler: Scaler;
  readonly #stop = new AbortController();
  readonly #errand: Errand;
  #config: ScaleConfig;
  #running = Promise.resolve();
  #isStopped = false;
  /** Why the last command has failed; undefined: it has not, or none has ended. */
  #failure: string | undefined;
  #done = { up: 0, down: 0 };
  #failed = 0;

  constructor(pool: Pool, config: ScaleConfig, parts: ScalingParts) {
    this.#pool = pool;
    this.#config = config;
    this.#parts = parts;
    this.#scaler = new Scaler(config);
    this.#errand = new Errand(parts.clock, this.#stop.signal);
  }

  setConfig(config: ScaleConfig): void {
    this.#config = config;
    this.#scaler.setRules(config);
  }

  /** No command is run any more: who stands in for this process scales. One that runs goes on. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Looks whether a command is due. Wants a call every second or so. */
  tick(nowMs: number): void {
    if (this.#isStopped || this.#config.exec.length === 0) return;
    const figures = figuresOf(this.#pool, nowMs);
    const direction = this.#scaler.observe(figures, nowMs);
    if (direction !== undefined) this.#running = this.#scale(direction, figures, nowMs);
  }

  /** What `status` shows; null: nothing is configured. */
  report(nowMs: number, wallMs: number): ScaleReport | null {
    const { exec, upWhen, downWhen, min, max } = this.#config;
    if (exec.length === 0) return null;
    const scaler = this.#scaler;
    const timeOf = (atMs: number | undefined) =>
      atMs === undefined ? null : new Date(wallMs - (nowMs - atMs)).toISOString();
    const { last, running = null, restsUntilMs } = scaler;
    return {
      backends: figuresOf(this.#pool, nowMs).backends,
      min,
      max,
      upWhen: upWhen === undefined ? null : formatCondition(upWhen),
      upSince: timeOf(scaler.sinceMs("up")),
      downWhen: downWhen === undefined ? null : formatCondition(downWhen),
      downSince: timeOf(scaler.sinceMs("down")),
      running,
      restsUntil: restsUntilMs > nowMs ? timeOf(restsUntilMs) : null,
      last: last === undefined
        ? null
        : { direction: last.direction, at: timeOf(last.startedMs) ?? "" },
      failure: this.#failure ?? null,
      doneUp: this.#done.up,
      doneDown: this.#done.down,
      failed: this.#failed,
    };
  }

  /** Ends a command that runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    this.#stop.abort(new Error("stopped"));
    await this.#running;
  }

  async #scale(direction: Direction, figures: ScaleFigures, nowMs: number): Promise<void> {
    const { log, clock } = this.#parts;
    const { exec, timeoutMs, upWhen = [], downWhen = [], forMs } = this.#config;
    const { name } = this.#pool;
    const why = formatCondition(direction === "up" ? upWhen : downWhen);
    const lasting = forMs === 0 ? "" : ` for ${formatDuration(forMs)}`;
    const fields = { event: "scale", pool: name, direction };
    log.info(`${name}: is scaled ${direction}: ${why}${lasting}`, fields);
    const told = toldOf(this.#pool, this.#config, figures, direction, why, nowMs);
    const ran = await this.#errand.run(exec, told, timeoutMs);
    const endMs = clock.now();
    this.#scaler.ended(endMs);
    const rest = formatDuration(Math.round((this.#scaler.restsUntilMs - endMs) / 1000) * 1000);
    if (ran.ok) {
      this.#failure = undefined;
      this.#done[direction]++;
      log.info(
        `${name}: the command that scales ${direction} is done, the next in ${rest}`,
        fields,
      );
    } else if (!this.#stop.signal.aborted) {
      this.#failure = ran.message;
      this.#failed++;
      log.warning(
        `${name}: cannot be scaled ${direction}: scale.exec: ${ran.message}; the next try in ${rest}`,
        fields,
      );
    }
  }
}

/** How a pool is now. */
export function figuresOf(pool: Pool, nowMs: number): ScaleFigures {
  const { table } = pool;
  let backends = 0;
  let usable = 0;
  let cores = 0;
  let sessions = 0;
  let usableSessions = 0;
  let least = 0;
  let most = 0;
  let isAnyKnown = false;
  for (const member of pool.members) {
    const active = table.read(member.row, ACTIVE);
    sessions += active;
    if (member.admin !== "enabled") continue;
    backends++;
    if (!pool.isUsable(member)) continue;
    usable++;
    usableSessions += active;
    const own = pool.coresOf(member).cores;
    cores += own;
    const free = freeOf(pool, member, nowMs);
    isAnyKnown ||= free !== undefined;
    // What one lacks is not taken from the others.
    least += Math.max(0, free ?? 0);
    most += Math.max(0, free ?? own);
  }
  const figures = { backends, usable, cores, sessions, usableSessions, queued: queuedIn(table) };
  return isAnyKnown ? { ...figures, free: [least, most] } : figures;
}

/** Free cores; undefined while no load is fresh. */
function freeOf(pool: Pool, member: Member, nowMs: number): number | undefined {
  if (pool.freshLoad(member, nowMs) === undefined) return undefined;
  const free = pool.table.freeMilliCores(member.row);
  return free === UNKNOWN_FREE ? undefined : free / 1000;
}

/** What a command is told: in its environment, and in more detail as JSON on its stdin. */
function toldOf(
  pool: Pool,
  { min, max }: ScaleConfig,
  { backends, usable, cores, free, sessions, queued }: ScaleFigures,
  direction: Direction,
  why: string,
  nowMs: number,
) {
  const known = free === undefined ? null : rounded(free[0]);
  const figures = { backends, usable, min, max, cores, free: known, sessions, queued };
  const input = {
    pool: pool.name,
    direction,
    why,
    ...figures,
    members: pool.members.map((member) => ({
      backend: member.backend.id,
      state: member.health.state,
      admin: member.admin,
      usable: pool.isUsable(member),
      sessions: pool.table.read(member.row, ACTIVE),
      cores: pool.coresOf(member).cores,
      free: rounded(freeOf(pool, member, nowMs) ?? null),
    })),
  };
  const env = {
    CLB_POOL: pool.name,
    CLB_DIRECTION: direction,
    CLB_WHY: why,
    ...Object.fromEntries(
      Object.entries(figures).map((
        [name, value],
      ) => [`CLB_${name.toUpperCase()}`, `${value ?? ""}`]),
    ),
  };
  return { env, input: `${JSON.stringify(input)}\n` };
}

function rounded(cores: number): number;
function rounded(cores: number | null): number | null;
function rounded(cores: number | null): number | null {
  return cores === null ? null : Math.round(cores * 1000) / 1000;
}
