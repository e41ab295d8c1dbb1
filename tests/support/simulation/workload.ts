// What sessions do: think for a while, run a job, think again, log out. A behaviour says what a
// session does next; sizes come from the session's own stream of chance, so that every strategy meets
// exactly the same sessions.

import { boundedPareto, boundedParetoMean, exponential, mix32 } from "../chance.ts";

/** What a session does next. One record is written again and again, so that steps cost no allocation. */
export class Step {
  /** The behaviour's own note from step to step; 0 at login. */
  phase = 0;
  /** Seconds of idling before the job. */
  pause = 0;
  /** Threads of the job; 0: no job comes, the session ends after the pause. */
  threads = 0;
  /** How long the job takes on a server of its own. */
  seconds = 0;
}

/** A session's own stream of uniform numbers, kept as two integers (a counter under a key). */
export class SessionChance {
  key = 0;
  counter = 0;

  next(): number {
    this.counter = (this.counter + 1) | 0;
    return (mix32(this.key ^ mix32(Math.imul(this.counter, 0x9e37_79b1))) >>> 0) / 0x1_0000_0000;
  }
}

export interface Behaviour {
  /** Mean core-seconds of work that a session brings. */
  readonly meanWork: number;
  /** Writes what comes next into `step`, whose `phase` is as the last call left it. */
  next(step: Step, chance: SessionChance): void;
}

/** How long a job takes alone. */
export interface Sizes {
  readonly mean: number;
  draw(uniform: number): number;
}

export function exponentialSizes(mean: number): Sizes {
  return { mean, draw: (uniform) => exponential(uniform, mean) };
}

export function paretoSizes(shape: number, low: number, high: number): Sizes {
  return {
    mean: boundedParetoMean(shape, low, high),
    draw: (uniform) => boundedPareto(uniform, shape, low, high),
  };
}

/** How many threads a job has: `share` of jobs each, the rest have one. */
export interface ThreadShare {
  readonly threads: number;
  readonly share: number;
}

function meanThreads(wide: readonly ThreadShare[]): number {
  return wide.reduce((sum, { threads, share }) => sum + (threads - 1) * share, 1);
}

function drawThreads(wide: readonly ThreadShare[], uniform: number): number {
  let left = uniform;
  for (let i = 0; i < wide.length; i++) {
    const entry = wide[i];
    if (entry === undefined) break;
    if (left < entry.share) return entry.threads;
    left -= entry.share;
  }
  return 1;
}

/** One job at login, logout at its end. */
export function oneJob(sizes: Sizes, wide: readonly ThreadShare[] = []): Behaviour {
  return {
    meanWork: sizes.mean * meanThreads(wide),
    next(step, chance) {
      step.pause = 0;
      step.threads = step.phase === 0 ? drawThreads(wide, chance.next()) : 0;
      step.seconds = sizes.draw(chance.next());
      step.phase = 1;
    },
  };
}

/** Logs in, does nothing that takes CPU time, and logs out. */
export function idling(stay: Sizes): Behaviour {
  return {
    meanWork: 0,
    next(step, chance) {
      step.threads = 0;
      step.pause = stay.draw(chance.next());
    },
  };
}

/** Jobs of a log, one a session: the session's key is the job's number in both columns. */
export function recordedJobs(threads: Int32Array, seconds: Float64Array): Behaviour {
  const work = seconds.reduce((sum, alone, job) => sum + alone * (threads[job] ?? 0), 0);
  return {
    meanWork: work / seconds.length,
    next(step, chance) {
      step.pause = 0;
      step.threads = step.phase === 0 ? threads[chance.key] ?? 0 : 0;
      step.seconds = seconds[chance.key] ?? 0;
      step.phase = 1;
    },
  };
}

export interface InteractiveShape {
  /** Share of sessions that never run a job. */
  readonly idleShare: number;
  /** How long those stay. */
  readonly idleStay: Sizes;
  /** Mean number of jobs of the others (geometric, 1 or more). */
  readonly meanJobs: number;
  readonly job: Sizes;
  readonly wide: readonly ThreadShare[];
  /** Idling before the first job. */
  readonly firstPause: Sizes;
  /** Idling between jobs. */
  readonly pause: Sizes;
  /** How long they stay after the last job. */
  readonly lastPause: Sizes;
}

const IDLE = -1;

/** Long sessions: many only idle, the others run several jobs with pauses between. */
export function interactive(shape: InteractiveShape): Behaviour {
  const { idleShare, meanJobs, job, wide } = shape;
  return {
    meanWork: (1 - idleShare) * meanJobs * job.mean * meanThreads(wide),
    next(step, chance) {
      step.threads = 0;
      if (step.phase === 0 && chance.next() < idleShare) {
        step.phase = IDLE;
        step.pause = shape.idleStay.draw(chance.next());
        return;
      }
      if (step.phase === IDLE) {
        step.pause = 0;
        return;
      }
      // Each job is the last one with the same chance.
      const ends = step.phase > 0 && chance.next() < 1 / meanJobs;
      const sizes = step.phase === 0 ? shape.firstPause : ends ? shape.lastPause : shape.pause;
      step.pause = sizes.draw(chance.next());
      if (ends) {
        step.phase = IDLE;
        return;
      }
      step.threads = drawThreads(wide, chance.next());
      step.seconds = job.draw(chance.next());
      step.phase++;
    },
  };
}
