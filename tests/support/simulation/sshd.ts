// The sshd of a simulated server, as far as it refuses: it drops connections at random while many have not
// logged in yet (MaxStartups 10:30:100, as it is installed; sshd.c, should_drop_connection).

/** Logins in progress from which on connections are dropped. */
const BEGIN = 10;
/** The share that is dropped from there on. */
const RATE = 0.3;
/** Logins in progress at which all are dropped. */
const FULL = 100;

export class Sshd {
  /** When logins in progress end. */
  #ends: number[] = [];

  /**
   * A connection comes.
   * @param loginSeconds how long its login takes. @param uniform in [0, 1).
   * @returns false: it is dropped.
   */
  admits(now: number, loginSeconds: number, uniform: number): boolean {
    this.#ends = this.#ends.filter((end) => end > now);
    const startups = this.#ends.length;
    if (startups >= BEGIN) {
      const share = RATE + (1 - RATE) * (startups - BEGIN) / (FULL - BEGIN);
      if (uniform < share) return false;
    }
    this.#ends.push(now + loginSeconds);
    return true;
  }
}
