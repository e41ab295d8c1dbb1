// The kernel's one-minute load average as Linux computes it (kernel/sched/loadavg.c): fixed point with
// 11 bits, one step every 5 s and a tick, shown with two decimals.

const FIXED_1 = 1 << 11;
/** FIXED_1 / e^(5/60), as the kernel rounds it. */
const EXP_1 = 1884;

/** LOAD_FREQ is 5 s and one tick: 5.004 s where CONFIG_HZ is 250, as in Debian's kernels. */
export const LOAD_STEP_SECONDS = 5.004;

export class LoadAverage {
  #average: number;
  #nextStep: number;

  /** @param firstStep when the first step is, in seconds. @param load where the average starts. */
  constructor(firstStep: number, load = 0) {
    this.#nextStep = firstStep;
    this.#average = Math.round(load * FIXED_1);
  }

  /** Lets time pass up to now; `running` tasks ran since the last call. Call before that changes. */
  advance(now: number, running: number): void {
    while (this.#nextStep <= now) {
      const active = running * FIXED_1;
      let sum = this.#average * EXP_1 + active * (FIXED_1 - EXP_1);
      if (active >= this.#average) sum += FIXED_1 - 1;
      this.#average = Math.floor(sum / FIXED_1);
      this.#nextStep += LOAD_STEP_SECONDS;
    }
  }

  /** What /proc/loadavg shows. */
  get shown(): number {
    return Math.floor((this.#average + FIXED_1 / 200) * 100 / FIXED_1) / 100;
  }
}
