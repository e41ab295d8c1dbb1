// What a recording says of the work on each backend: how much of it came with sessions, and how much was
// there whatever the balancer did. With the whole recording at hand, the tasks between two samples are
// known and not guessed: the inverse of the kernel's filter (core/load_estimate.ts has the formulas).

import { LoadEstimator } from "../../core/load_estimate.ts";
import { SessionCost } from "../../core/session_cost.ts";
import type { PoolLine } from "../record_format.ts";
import type { RecordedPool } from "./recording.ts";

/** The one-minute load average's memory. */
const LOAD_WINDOW_MS = 60_000;
/** Samples nearer than this may lie within one step of the kernel's filter: the later one tells nothing. */
const LEAST_GAP_MS = 4000;

/** From `t` on, so many tasks ran on a backend that no session of the balancer had brought. */
export interface OutsideLoad {
  readonly t: number;
  readonly backend: string;
  /** May be below 0 where sessions did less than they do in the mean. */
  readonly tasks: number;
}

export interface LearntLoad {
  /** Cores that a session keeps busy, in the mean over its life. */
  readonly sessionCost: number;
  /** In order of time. */
  readonly outside: readonly OutsideLoad[];
}

/** A number that follows the count of sessions as a load average does. */
export class Filtered {
  #count: number;
  #value: number;
  #updatedMs: number;

  constructor(count: number, t: number) {
    this.#count = count;
    this.#value = count;
    this.#updatedMs = t;
  }

  get count(): number {
    return this.#count;
  }

  add(change: number, t: number): void {
    this.#value = this.at(t);
    this.#updatedMs = Math.max(t, this.#updatedMs);
    this.#count += change;
  }

  /** Its value at a time that is not before the last change. */
  at(t: number): number {
    const keep = Math.exp(-Math.max(0, t - this.#updatedMs) / LOAD_WINDOW_MS);
    return this.#value * keep + this.#count * (1 - keep);
  }
}

interface Track {
  readonly row: number;
  readonly joinedMs: number;
  readonly sessions: Filtered;
  load1: number;
  takenMs: number;
  filtered: number;
}

interface Span {
  readonly t: number;
  readonly backend: string;
  readonly tasks: number;
  readonly held: number;
}

/** Goes through a pool's recording once. */
export function learnLoad(pool: RecordedPool): LearntLoad {
  const cost = new SessionCost();
  let estimator = new LoadEstimator(cost);
  let tracks = new Map<string, Track>();
  let nextRow = 0;
  const spans: Span[] = [];
  const sample = (backend: string, load1: number, taken: number) => {
    const track = tracks.get(backend);
    if (track === undefined) return;
    estimator.observeSample(track.row, load1, taken);
    const span = spanOf(backend, track, load1, taken);
    if (span !== undefined) spans.push(span);
  };
  const join = (joined: PoolLine["backends"][number], t: number) => {
    const { backend, active, cores, load1, taken } = joined;
    const row = nextRow++;
    estimator.track(row, cores, active, t);
    const sessions = new Filtered(active, t);
    const track = { row, joinedMs: t, sessions, load1: NaN, takenMs: NaN, filtered: 0 };
    tracks.set(backend, track);
    if (load1 !== undefined && taken !== undefined) sample(backend, load1, taken);
  };
  const count = (backend: string, change: number, t: number) => {
    const track = tracks.get(backend);
    if (track === undefined) return;
    track.sessions.add(Math.max(change, -track.sessions.count), t);
    estimator.observeSessions(track.row, track.sessions.count, t);
  };
  for (const event of pool.events) {
    switch (event.kind) {
      case "reset":
        estimator = new LoadEstimator(cost);
        tracks = new Map();
        for (const backend of event.line.backends) join(backend, event.t);
        break;
      case "pool": {
        const names = new Set(event.line.backends.map(({ backend }) => backend));
        for (const [name, track] of tracks) {
          if (names.has(name)) continue;
          estimator.forget(track.row);
          tracks.delete(name);
        }
        for (const backend of event.line.backends) {
          if (!tracks.has(backend.backend)) join(backend, event.t);
        }
        break;
      }
      case "backend": {
        const track = tracks.get(event.line.backend);
        if (track !== undefined) estimator.observeCores(track.row, event.line.cores);
        break;
      }
      case "sample":
        sample(event.line.backend, event.line.load1, event.line.taken);
        break;
      case "arrival":
        count(event.session.backend, 1, event.t);
        break;
      case "end":
        count(event.session.backend, -1, event.t);
        break;
      case "old_end":
        count(event.backend, -1, event.t);
    }
  }
  const sessionCost = cost.settled;
  const outside = spans.map(({ t, backend, tasks, held }): OutsideLoad => ({
    t,
    backend,
    tasks: tasks - sessionCost * held,
  }));
  return { sessionCost, outside: outside.sort((a, b) => a.t - b.t) };
}

/** What ran between a backend's last sample and this one, from the last one on. */
function spanOf(backend: string, track: Track, load1: number, taken: number): Span | undefined {
  const gap = taken - track.takenMs;
  if (gap < LEAST_GAP_MS) return undefined;
  const filtered = track.sessions.at(taken);
  const before = { load1: track.load1, t: track.takenMs, filtered: track.filtered };
  track.load1 = load1;
  track.takenMs = taken;
  track.filtered = filtered;
  // The first sample stands for what came before it.
  if (Number.isNaN(before.t)) return { t: track.joinedMs, backend, tasks: load1, held: filtered };
  const keep = Math.exp(-gap / LOAD_WINDOW_MS);
  return {
    t: before.t,
    backend,
    tasks: Math.max(0, (load1 - keep * before.load1) / (1 - keep)),
    held: (filtered - keep * before.filtered) / (1 - keep),
  };
}
