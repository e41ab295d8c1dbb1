// Notices that people log in all at once, as a class does when the lesson starts, and makes each such
// session cost so much that the burst is dealt out in proportion to what is free.
//
// `!` on typed-array reads: indices are rows that `track` has made room for.

/** A login counts as new for about this time. */
const NEW_MS = 60_000;
/** How fast the usual number of new logins is learnt. */
const USUAL_MS = 7_200_000;

/**
 * Counts new logins by backend, each fading with e^(−age/60 s), and compares the pool's number with
 * its usual one (an exponential mean over 2 hours).
 *
 * What a burst costs nobody can know beforehand, and its sessions do the same thing at the same time;
 * the learnt cost is a mean over people who do not. So a burst is dealt out like seats: with F cores
 * free in all, f on backend i, and y of the Y new logins there, i is owed f/F − y/Y of the next. That
 * is f − (F/Y)·y up to a factor: water-filling with a cost of F/Y per new session. The further the
 * burst exceeds the usual by more than chance (two standard deviations of a Poisson number, and 2),
 * the more of that cost is charged.
 */
export class LoginBurst {
  #fading = new Float64Array(16);
  #totals = new Float64Array(16);
  #updatedMs = NaN;
  #usual = 0;

  /** New logins on a backend, faded. */
  newLogins(row: number): number {
    return row < this.#fading.length ? this.#fading[row]! : 0;
  }

  /** Lets time pass; call before logins are told. */
  advance(nowMs: number): void {
    const passed = Number.isNaN(this.#updatedMs) ? 0 : nowMs - this.#updatedMs;
    this.#updatedMs = Number.isNaN(this.#updatedMs) ? nowMs : Math.max(nowMs, this.#updatedMs);
    if (passed <= 0) return;
    const usual = Math.exp(-passed / USUAL_MS);
    // A burst itself is not to become the usual.
    this.#usual = this.#usual * usual + Math.min(this.#sum(), this.#line()) * (1 - usual);
    const keep = Math.exp(-passed / NEW_MS);
    for (let row = 0; row < this.#fading.length; row++) this.#fading[row]! *= keep;
  }

  /** Tells how many sessions a backend was given since it joined; a smaller number begins anew. */
  observe(row: number, total: number): void {
    const came = total - this.#totals[row]!;
    this.#totals[row] = total;
    if (came < 0) this.#fading[row] = 0;
    else this.#fading[row]! += came;
  }

  /** Another backend stands in the row; it was given `total` sessions before we looked. */
  track(row: number, total: number): void {
    if (row >= this.#fading.length) this.#grow(row + 1);
    this.#fading[row] = 0;
    this.#totals[row] = total;
  }

  /** Cores that each new login is charged, beyond what it costs; 0 when nothing is unusual. */
  charge(freeCores: number): number {
    const sum = this.#sum();
    const line = this.#line();
    const excess = Math.min(1, Math.max(0, (sum - line) / line));
    return excess * Math.max(0, freeCores) / Math.max(1, sum);
  }

  /** More new logins than this are not chance. */
  #line(): number {
    return this.#usual + 2 * Math.sqrt(this.#usual) + 2;
  }

  #sum(): number {
    let sum = 0;
    for (let row = 0; row < this.#fading.length; row++) sum += this.#fading[row]!;
    return sum;
  }

  #grow(needed: number): void {
    const length = Math.max(needed, 2 * this.#fading.length);
    const fading = new Float64Array(length);
    fading.set(this.#fading);
    this.#fading = fading;
    const totals = new Float64Array(length);
    totals.set(this.#totals);
    this.#totals = totals;
  }
}
