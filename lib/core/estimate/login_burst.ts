// Learns how many new logins are usual, so that a burst of them can be told from chance. What is done
// about a burst, core/pick/burst_charge.ts says.

/** How fast the usual number of new logins is learnt. */
const USUAL_MS = 7_200_000;
/** How fast at first, while there is less past than that. */
const FIRST_MS = 600_000;

/** The usual number of new logins: an exponential mean over 2 hours, in the beginning over 10 minutes. */
export class LoginBurst {
  #beganMs = NaN;
  #updatedMs = NaN;
  #usual = 0;

  /** Tells how many new logins there are on all backends (core/pick/young.ts). */
  observe(newLogins: number, nowMs: number): void {
    if (Number.isNaN(this.#beganMs)) this.#beganMs = this.#updatedMs = nowMs;
    const passed = nowMs - this.#updatedMs;
    if (passed <= 0) return;
    this.#updatedMs = nowMs;
    const window = Math.min(USUAL_MS, Math.max(FIRST_MS, nowMs - this.#beganMs));
    const keep = Math.exp(-passed / window);
    // A burst itself is not to become the usual.
    this.#usual = this.#usual * keep + Math.min(newLogins, this.line) * (1 - keep);
  }

  /** More new logins than this are not chance: two standard deviations of a Poisson number, and 2. */
  get line(): number {
    return this.#usual + 2 * Math.sqrt(this.#usual) + 2;
  }
}
