// What a backend's load will be for somebody who logs in now, worked out from load averages that lag
// by a minute and from the sessions that the balancer knows of. One estimator per pool; rows are those
// of the pool's PickTable. Times are milliseconds; a load is a number of running tasks.
//
// `!` on typed-array reads: indices are rows that `track` has made room for.

import { MAX_CORES } from "../pool/backend.ts";
import { tasksWantingCpu } from "./disk_waits.ts";
import { SessionCost } from "./session_cost.ts";

/**
 * The kernel's filter: every 5 s, L becomes L·e^(−5/60) + n·(1 − e^(−5/60)), n being the tasks that run
 * or wait uninterruptibly (Linux, kernel/sched/loadavg.c; its fixed point makes 60 s into 59.9 s).
 */
export const LOAD_WINDOW_MS = 60_000;
/** A load that is no average is taken for a mean over so long: agents measure idle CPU so. */
export const INSTANT_WINDOW_MS = 5000;
/** Two samples nearer than this may lie within one step of the filter: the later one tells nothing. */
export const LEAST_GAP_MS = 4000;

/** How much of what sessions do not explain is looked for in the last sample, 10 min, 2 hours. */
const LAST_SHARE = 0.5;
const MEDIUM_SHARE = 0.25;
const MEDIUM_MS = 600_000;
const LONG_MS = 7_200_000;
/** The last sample's share falls by 1/e for so much age; the others take it over. */
const LAST_FADES_MS = 300_000;
/** What sessions do not explain is forgotten for the pool's mean by 1/e in this time without a sample. */
const UNEXPLAINED_FADES_MS = 1_200_000;
/**
 * More tasks between two samples count as so many: twice the cores of the largest machine. One sample that
 * is off by orders of magnitude would stay in the long means, and so in the pool's, for a day.
 */
const MOST_TASKS = 2 * MAX_CORES;
/** Backends whose last sample is older do not take part in learning. */
const STALE_MS = 180_000;

export interface LoadEstimate {
  /** Tasks that are expected to run in the minutes to come; 0 or more. */
  readonly load: number;
  /** Tasks that run now, as far as the last samples and the sessions since tell; 0 or more. */
  readonly running: number;
  /** Age of the last sample. */
  readonly ageMs: number;
}

/** What is kept for one backend. */
class Track {
  /** Sessions that we hold there, and until when `filtered` accounts for them. */
  sessions = 0;
  updatedMs = 0;
  /** Our sessions seen through the kernel's filter: what they would show in load1 at a task each. */
  filtered = 0;
  /** The same for a mean over {@linkcode INSTANT_WINDOW_MS}. */
  recent = 0;
  /** Whether the last sample was a mean over seconds. */
  instant = false;
  /** The last sample, and `filtered` when it was taken; NaN before the first. */
  load1 = NaN;
  sampledMs = NaN;
  sampledFiltered = 0;
  firstMs = 0;
  /** Of the last sample. */
  pressure: number | undefined;
  /** What a session costs here, if that is known better than by learning. */
  cost: number | undefined;
  /** Mean tasks and sessions between the last two samples. */
  tasks = 0;
  held = 0;
  /** The same over {@linkcode MEDIUM_MS} and {@linkcode LONG_MS}. */
  mediumTasks = 0;
  mediumHeld = 0;
  longTasks = 0;
  longHeld = 0;

  constructor(public cores: number, sessions: number, nowMs: number) {
    this.updatedMs = nowMs;
    this.sessions = sessions;
    // Sessions that stood before we looked are in the load already.
    this.filtered = sessions;
    this.recent = sessions;
  }

  /** What is left of a number of tasks without those that wait for a disk. */
  wantingCpu(tasks: number, intervalMs: number): number {
    return tasksWantingCpu(Math.min(tasks, MOST_TASKS), this.cores, this.pressure, intervalMs);
  }

  /** Lets the filters run up to now over the sessions that stood. */
  advance(nowMs: number): void {
    const passed = nowMs - this.updatedMs;
    if (passed <= 0) return;
    const keep = Math.exp(-passed / LOAD_WINDOW_MS);
    this.filtered = this.filtered * keep + this.sessions * (1 - keep);
    const still = Math.exp(-passed / INSTANT_WINDOW_MS);
    this.recent = this.recent * still + this.sessions * (1 - still);
    this.updatedMs = nowMs;
  }
}

/**
 * Estimates loads from samples and session counts.
 *
 * **De-lag.** From load1 at two samples Δ apart, the mean number of tasks between them is
 * n̂ = (L₂ − e^(−Δ/60 s)·L₁) ÷ (1 − e^(−Δ/60 s)): the filter's inverse. The two decimals of load1 cost
 * ±0.06 at Δ = 10 s. A sample that was missed only makes Δ longer.
 *
 * **Disks.** A load average counts tasks that wait for a disk, too. Where pressure is told, tasks beyond
 * the cores count only as far as some waited for a CPU (core/estimate/disk_waits.ts).
 *
 * **Phantom load.** The same filter and its inverse, run over our own sessions, give the number N̂ of
 * them that n̂ contains. Those that came since are not in it, those that ended still are: with N now and
 * a cost ĉ per session, n̂ + ĉ·(N − N̂) tasks run now. A session counts fully when it comes and fades
 * exactly as the samples come to contain it (the idea of lbcd's increment and Prequal's compensation,
 * carried over to a load average).
 *
 * **What will be.** A session lasts; the tasks that happen to run at its login do not. What sessions do
 * not explain, r = n̂ − ĉ·N̂ (work from elsewhere, users who do more than others), is taken in parts from
 * the last interval, the last 10 minutes and the last 2 hours: a task that has run for T runs as long
 * again with a chance of one half (Harchol-Balter and Downey 1997), so what lasted is what stays. The
 * expected load is the last interval's part with the fresh session's cost, and the others' with the
 * mean one. Found by simulation: against running tasks alone, seen without any lag, mean slowdown is
 * lower for sessions that last.
 *
 * **Age.** The older the last sample, the less it counts: within minutes its share goes to the long
 * means and to the count of sessions; within the hour what sessions do not explain goes to the pool's
 * mean per core. So stale data end in a fair count of sessions and not in a herd. Whether a sample is
 * too old at all is the pool's decision.
 */
export class LoadEstimator {
  readonly #tracks: (Track | undefined)[] = [];
  readonly #cost: SessionCost;
  #learntMs = NaN;
  /** Tasks per core that sessions do not explain, over the pool. */
  #unexplained = 0;

  constructor(cost: SessionCost = new SessionCost()) {
    this.#cost = cost;
  }

  /** What a session is expected to cost. */
  get cost(): SessionCost {
    return this.#cost;
  }

  /** Begins anew with a row: another backend stands there now, with so many sessions of ours. */
  track(row: number, cores: number, sessions: number, nowMs: number): void {
    this.#tracks[row] = new Track(cores, sessions, nowMs);
  }

  /** Tells that a backend turns out to have so many cores. */
  observeCores(row: number, cores: number): void {
    const track = this.#tracks[row];
    if (track !== undefined) track.cores = cores;
  }

  forget(row: number): void {
    this.#tracks[row] = undefined;
  }

  /** Tells how many sessions we hold on a backend. Tell it soon after it has changed. */
  observeSessions(row: number, sessions: number, nowMs: number): void {
    const track = this.#tracks[row];
    if (track === undefined) return;
    track.advance(nowMs);
    track.sessions = sessions;
  }

  /** Tells what a session costs there, in cores, 0 or more; undefined: what is learnt of the pool. */
  observeCost(row: number, cost: number | undefined): void {
    const track = this.#tracks[row];
    if (track !== undefined) track.cost = cost;
  }

  /** Tells the pressure of the sample that {@linkcode observeSample} is about to be told; 0 to 1. */
  observePressure(row: number, share: number | undefined): void {
    const track = this.#tracks[row];
    if (track !== undefined) track.pressure = share;
  }

  /**
   * Takes in a sample. One that is out of order, too soon after the last, or not a load (negative, not
   * finite) is passed over.
   * @param instant whether it is a mean over the last seconds and not a load average: then it is the
   * number of tasks itself, as is the first sample after a change from one kind to the other.
   */
  observeSample(row: number, load1: number, takenAtMs: number, instant = false): void {
    const track = this.#tracks[row];
    if (track === undefined || !(load1 >= 0 && load1 < Infinity)) return;
    track.advance(takenAtMs);
    const held = instant ? track.recent : track.filtered;
    if (Number.isNaN(track.load1)) {
      track.firstMs = takenAtMs;
      track.tasks = instant ? Math.min(load1, MOST_TASKS) : track.wantingCpu(load1, 0);
      track.mediumTasks = track.longTasks = track.tasks;
      track.held = track.mediumHeld = track.longHeld = held;
    } else {
      const gap = takenAtMs - track.sampledMs;
      if (gap <= 0 || (gap < LEAST_GAP_MS && !instant)) return;
      if (instant || track.instant) {
        track.tasks = Math.min(load1, MOST_TASKS);
        track.held = held;
      } else {
        const keep = Math.exp(-gap / LOAD_WINDOW_MS);
        const tasks = Math.max(0, (load1 - keep * track.load1) / (1 - keep));
        track.tasks = track.wantingCpu(tasks, gap);
        track.held = Math.max(0, (track.filtered - keep * track.sampledFiltered) / (1 - keep));
      }
      // While there is less past than the window, a plain mean of what there is.
      const past = takenAtMs - track.firstMs;
      const medium = Math.exp(-gap / Math.min(MEDIUM_MS, past));
      track.mediumTasks = track.mediumTasks * medium + track.tasks * (1 - medium);
      track.mediumHeld = track.mediumHeld * medium + track.held * (1 - medium);
      const long = Math.exp(-gap / Math.min(LONG_MS, past));
      track.longTasks = track.longTasks * long + track.tasks * (1 - long);
      track.longHeld = track.longHeld * long + track.held * (1 - long);
    }
    track.load1 = load1;
    track.sampledMs = takenAtMs;
    track.sampledFiltered = track.filtered;
    track.instant = instant;
    this.#learn(takenAtMs);
  }

  /** @returns undefined when no sample of that backend ever came. */
  estimate(row: number, nowMs: number): LoadEstimate | undefined {
    const track = this.#tracks[row];
    if (track === undefined || Number.isNaN(track.load1)) return undefined;
    const { fresh, settled } = this.#costOf(track);
    const { sessions } = track;
    const ageMs = Math.max(0, nowMs - track.sampledMs);
    const running = track.tasks + fresh * (sessions - track.held);
    const trust = Math.exp(-ageMs / UNEXPLAINED_FADES_MS);
    const usual = (1 - trust) * this.#unexplained * track.cores + settled * sessions;
    const medium = usual + trust * (track.mediumTasks - settled * track.mediumHeld);
    const long = usual + trust * (track.longTasks - settled * track.longHeld);
    const last = LAST_SHARE * Math.exp(-ageMs / LAST_FADES_MS);
    const middle = (1 - last) * MEDIUM_SHARE / (1 - LAST_SHARE);
    const load = last * running + middle * medium + (1 - last - middle) * long;
    return { load: Math.max(0, load), running: Math.max(0, running), ageMs };
  }

  /** What one more session adds to {@linkcode estimate}'s load at once, in cores. */
  sessionLoad(row: number, nowMs: number): number {
    const track = this.#tracks[row];
    const { fresh, settled } = this.#costOf(track);
    if (track === undefined || Number.isNaN(track.sampledMs)) return fresh;
    const ageMs = Math.max(0, nowMs - track.sampledMs);
    const last = LAST_SHARE * Math.exp(-ageMs / LAST_FADES_MS);
    return last * fresh + (1 - last) * settled;
  }

  #costOf(track: Track | undefined): { readonly fresh: number; readonly settled: number } {
    const cost = track?.cost;
    return cost === undefined ? this.#cost : { fresh: cost, settled: cost };
  }

  /** Shows the pool's totals to the learner: who landed where does not blur those. */
  #learn(nowMs: number): void {
    const passed = Number.isNaN(this.#learntMs) ? 0 : nowMs - this.#learntMs;
    if (passed < 0) return;
    this.#learntMs = nowMs;
    let tasks = 0;
    let held = 0;
    let usualTasks = 0;
    let usualHeld = 0;
    let cores = 0;
    let unexplained = 0;
    for (const track of this.#tracks) {
      if (track === undefined || !(nowMs - track.sampledMs <= STALE_MS)) continue;
      tasks += track.tasks;
      held += track.held;
      usualTasks += track.mediumTasks;
      usualHeld += track.mediumHeld;
      cores += track.cores;
      unexplained += track.longTasks - this.#cost.settled * track.longHeld;
    }
    if (cores > 0) this.#unexplained = unexplained / cores;
    this.#cost.observe({ tasks, held, usualTasks, usualHeld }, passed);
  }
}
