// What a session costs, in cores: learnt for a pool from how its load moves with its sessions.

/** A pool at one instant: mean tasks and sessions of late, and over the last 10 minutes. */
export interface PoolTotals {
  readonly tasks: number;
  readonly held: number;
  readonly usualTasks: number;
  readonly usualHeld: number;
}

/** Cores that a session is expected to keep busy before anything is learnt. */
const PRIOR = 0.5;
const LEAST = 0.02;
const MOST = 2;
/** What was seen falls to 1/e of its weight in this time. */
const FORGET_MS = 7_200_000;
/** One observation stands for at most this: a gap is no evidence. */
const LONGEST_MS = 60_000;
/** The prior weighs as much as so many sessions for an hour, and as so much squared movement of them. */
const PRIOR_SESSION_MS = 3_600_000;
const PRIOR_SQUARES_MS = 7_200_000;
/** Work that comes from elsewhere is in the tasks too: so much is held to be the sessions' own. */
const OWN_SHARE = 0.8;

/**
 * Learns what a session costs: when it is new (`fresh`), and over its life (`settled`).
 *
 * Fresh: the slope of a regression of the pool's tasks on its sessions, both as deviations from their
 * means over 10 minutes, so that steady work from elsewhere does not count. Settled: tasks ÷ sessions,
 * less an allowance for work from elsewhere, and never more than fresh. Both are totals over the pool:
 * on one backend the placement itself ties sessions to load (they are sent where it is low), which
 * would bend the slope; over the pool it cannot.
 *
 * Both are ridge estimates, (prior·weight + Σ) ÷ (weight + Σ), shrunk towards 0.5 cores, bounded to
 * 0.02 to 2, and forget with a time constant of 2 hours.
 */
export class SessionCost {
  #taskSum = 0;
  #sessionSum = 0;
  #products = 0;
  #squares = 0;
  #fresh = PRIOR;
  #settled = PRIOR;

  /** Cores that a session keeps busy soon after login; 0.02 to 2. */
  get fresh(): number {
    return this.#fresh;
  }

  /** Cores that a session keeps busy in the mean over its life; 0 to `fresh`. */
  get settled(): number {
    return this.#settled;
  }

  /** Takes in what was seen for so long. */
  observe(totals: PoolTotals, passedMs: number): void {
    if (!(passedMs > 0)) return;
    const keep = Math.exp(-passedMs / FORGET_MS);
    const span = Math.min(passedMs, LONGEST_MS);
    const tasks = totals.tasks - totals.usualTasks;
    const held = totals.held - totals.usualHeld;
    this.#taskSum = this.#taskSum * keep + totals.tasks * span;
    this.#sessionSum = this.#sessionSum * keep + totals.held * span;
    this.#products = this.#products * keep + tasks * held * span;
    this.#squares = this.#squares * keep + held * held * span;
    const slope = (PRIOR * PRIOR_SQUARES_MS + this.#products) / (PRIOR_SQUARES_MS + this.#squares);
    this.#fresh = Math.min(MOST, Math.max(LEAST, slope));
    const ratio = (PRIOR * PRIOR_SESSION_MS + OWN_SHARE * this.#taskSum) /
      (PRIOR_SESSION_MS + this.#sessionSum);
    this.#settled = Math.min(this.#fresh, ratio);
  }
}
