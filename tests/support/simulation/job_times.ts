// What a simulation measures of jobs: how much longer they took than alone, in the mean and in the tail.
//
// `!` on typed-array reads: bins are below the array's length by construction.

export interface JobSummary {
  /** Mean of (time a job took) ÷ (time it takes alone), over jobs of placed sessions. */
  readonly meanSlowdown: number;
  /** The same over jobs of sessions that no balancer placed; NaN when there were none. */
  readonly directSlowdown: number;
  /** 99th percentile of the slowdown of placed sessions' jobs. */
  readonly p99Slowdown: number;
  readonly jobs: number;
  /** Mean time that a job took, seconds. */
  readonly meanTime: number;
}

/** Slowdowns are counted in bins of this many to a factor of e, for percentiles. */
const BINS_PER_E = 100;
const BINS = 1200;

export class JobTimes {
  #jobs = 0;
  #slowdowns = 0;
  #times = 0;
  #directJobs = 0;
  #directSlowdowns = 0;
  readonly #bins = new Int32Array(BINS);

  /** A job ended that took this time and takes the other alone; isPlaced: a balancer placed its session. */
  add(tookSeconds: number, aloneSeconds: number, isPlaced: boolean): void {
    // Rounding can make a job a hair too fast.
    const slowdown = Math.max(1, tookSeconds / aloneSeconds);
    if (!isPlaced) {
      this.#directJobs++;
      this.#directSlowdowns += slowdown;
      return;
    }
    this.#jobs++;
    this.#slowdowns += slowdown;
    this.#times += tookSeconds;
    this.#bins[Math.min(BINS - 1, Math.floor(Math.log(slowdown) * BINS_PER_E))]!++;
  }

  summary(): JobSummary {
    return {
      meanSlowdown: this.#slowdowns / this.#jobs,
      directSlowdown: this.#directSlowdowns / this.#directJobs,
      p99Slowdown: this.#percentile(0.99),
      jobs: this.#jobs,
      meanTime: this.#times / this.#jobs,
    };
  }

  #percentile(share: number): number {
    let left = this.#jobs * (1 - share);
    let bin = BINS - 1;
    while (bin > 0 && left > this.#bins[bin]!) left -= this.#bins[bin--]!;
    return Math.exp((bin + 0.5) / BINS_PER_E);
  }
}
