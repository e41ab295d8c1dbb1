// What a recording says of the work on each backend: how much of it came with sessions, and how much was
// there whatever the balancer did. With the whole recording at hand, the tasks between two samples are
// known and not guessed: the inverse of the kernel's filter (core/estimate/load_estimate.ts has the formulas).

import { tasksWantingCpu } from "../../core/estimate/disk_waits.ts";
import {
  INSTANT_WINDOW_MS,
  LEAST_GAP_MS,
  LOAD_WINDOW_MS,
  LoadEstimator,
} from "../../core/estimate/load_estimate.ts";
import { SessionCost } from "../../core/estimate/session_cost.ts";
import type { PoolLine, RecordedSample } from "../record_format.ts";
import type { RecordedPool } from "./recording.ts";

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
  readonly #windowMs: number;
  #count: number;
  #value: number;
  #updatedMs: number;

  constructor(count: number, t: number, windowMs: number = LOAD_WINDOW_MS) {
    this.#windowMs = windowMs;
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
    const keep = Math.exp(-Math.max(0, t - this.#updatedMs) / this.#windowMs);
    return this.#value * keep + this.#count * (1 - keep);
  }
}

class Track {
  readonly sessions: Filtered;
  /** The same as loads that are no averages show them. */
  readonly recent: Filtered;
  /** The last sample. */
  instant = false;
  load1 = NaN;
  takenMs = NaN;
  filtered = 0;

  constructor(
    readonly row: number,
    readonly joinedMs: number,
    public cores: number,
    active: number,
  ) {
    this.sessions = new Filtered(active, joinedMs);
    this.recent = new Filtered(active, joinedMs, INSTANT_WINDOW_MS);
  }
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
  const sample = (backend: string, taken: RecordedSample) => {
    const track = tracks.get(backend);
    if (track === undefined) return;
    estimator.observePressure(track.row, taken.cpu_pressure);
    estimator.observeSample(track.row, taken.load1, taken.taken, taken.instant);
    const span = spanOf(backend, track, taken);
    if (span !== undefined) spans.push(span);
  };
  const join = (joined: PoolLine["backends"][number], t: number) => {
    const { backend, active, cores, load1, taken } = joined;
    const row = nextRow++;
    estimator.track(row, cores, active, t);
    tracks.set(backend, new Track(row, t, cores, active));
    if (load1 !== undefined && taken !== undefined) sample(backend, { ...joined, load1, taken });
  };
  const know = (track: Track, cores: number) => {
    track.cores = cores;
    estimator.observeCores(track.row, cores);
  };
  const count = (backend: string, change: number, t: number) => {
    const track = tracks.get(backend);
    if (track === undefined) return;
    const bounded = Math.max(change, -track.sessions.count);
    track.sessions.add(bounded, t);
    track.recent.add(bounded, t);
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
        for (const state of event.line.backends) {
          const track = tracks.get(state.backend);
          if (track === undefined) {
            join(state, event.t);
            continue;
          }
          know(track, state.cores);
          const { load1, taken } = state;
          // Told here, a sample has no line of its own.
          if (load1 === undefined || taken === undefined || taken <= track.takenMs) continue;
          sample(state.backend, { ...state, load1, taken });
        }
        break;
      }
      case "backend": {
        const track = tracks.get(event.line.backend);
        if (track !== undefined) know(track, event.line.cores);
        break;
      }
      case "sample":
        sample(event.line.backend, event.line);
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
function spanOf(backend: string, track: Track, sample: RecordedSample): Span | undefined {
  const { load1, taken, instant = false, cpu_pressure } = sample;
  const gap = taken - track.takenMs;
  if (gap <= 0 || (gap < LEAST_GAP_MS && !instant)) return undefined;
  const filtered = track.sessions.at(taken);
  const before = { ...track };
  track.load1 = load1;
  track.takenMs = taken;
  track.filtered = filtered;
  track.instant = instant;
  const span = (tasks: number, held: number): Span => ({
    // The first sample stands for what came before it.
    t: Number.isNaN(before.takenMs) ? track.joinedMs : before.takenMs,
    backend,
    tasks,
    held,
  });
  if (instant) return span(load1, track.recent.at(taken));
  const wanting = (tasks: number, passed: number) =>
    tasksWantingCpu(tasks, track.cores, cpu_pressure, passed);
  // Averages and others do not mix: the first of its kind is taken as it is.
  if (Number.isNaN(before.takenMs) || before.instant) return span(wanting(load1, 0), filtered);
  const keep = Math.exp(-gap / LOAD_WINDOW_MS);
  return span(
    wanting(Math.max(0, (load1 - keep * before.load1) / (1 - keep)), gap),
    (filtered - keep * before.filtered) / (1 - keep),
  );
}
