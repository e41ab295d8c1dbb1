// The kernel's pressure of a simulated server: the share of time in which some thread waited for a core,
// as an exponential mean over 10 s ("some avg10" of /proc/pressure/cpu).

const WINDOW_SECONDS = 10;

export class Pressure {
  #mean = 0;
  #updated = 0;

  /** Lets time pass up to now; whether somebody waited since the last call. Call before that changes. */
  advance(now: number, isWaiting: boolean): void {
    const keep = Math.exp(-(now - this.#updated) / WINDOW_SECONDS);
    this.#mean = this.#mean * keep + (isWaiting ? 1 - keep : 0);
    this.#updated = now;
  }

  /** What /proc/pressure/cpu shows, as a share with four decimals. */
  get shown(): number {
    return Math.round(this.#mean * 10_000) / 10_000;
  }
}
