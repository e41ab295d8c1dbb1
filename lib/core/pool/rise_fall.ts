// The counter between probe results and health: a state flips only after `rise` passes or `fall`
// failures in a row. A result that agrees with the state zeroes the opposite streak (pingora,
// caddy-l4; gobetween forgets to, and flaps).

import type { HealthState } from "./health.ts";

/** What an observation did: nothing, moved a streak, or flipped the state. */
export type HealthTransition = "unchanged" | "pending" | "changed";

export class RiseFall {
  #state: HealthState = "unknown";
  /** Results in a row that contradict the state. */
  #streak = 0;
  #rise = 1;
  #fall = 1;

  /** @see {@linkcode RiseFall.setThresholds} */
  constructor(rise: number, fall: number) {
    this.setThresholds(rise, fall);
  }

  /**
   * @param rise passes in a row that bring a backend up, 1 or more.
   * @param fall failures in a row that take it down, 1 or more.
   * @throws {RangeError} if either is not a whole number of 1 or more.
   */
  setThresholds(rise: number, fall: number): void {
    for (const value of [rise, fall]) {
      if (!Number.isInteger(value) || value < 1) {
        throw new RangeError(`Cannot count to ${value}: rise and fall must be 1 or more`);
      }
    }
    this.#rise = rise;
    this.#fall = fall;
  }

  get state(): HealthState {
    return this.#state;
  }

  /** Results in a row that contradict the state. */
  get streak(): number {
    return this.#streak;
  }

  /** Takes one result in. The very first settles the state at once: there is nothing to flap from. */
  observe(passed: boolean): HealthTransition {
    if (this.#state === "unknown") return this.force(passed ? "up" : "down");
    if (passed === (this.#state === "up")) {
      this.#streak = 0;
      return "unchanged";
    }
    this.#streak++;
    if (this.#streak < (passed ? this.#rise : this.#fall)) return "pending";
    return this.force(passed ? "up" : "down");
  }

  /** Sets the state on other evidence than probes; `unknown` lets the next result settle it. */
  force(state: HealthState): HealthTransition {
    this.#streak = 0;
    if (this.#state === state) return "unchanged";
    this.#state = state;
    return "changed";
  }
}
