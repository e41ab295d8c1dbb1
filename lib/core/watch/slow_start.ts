// Slow start: a backend that comes back gets a share of sessions that grows up to its whole one.

/** The share that a backend begins with: what Envoy's min_weight_percent and common sense say. */
const FIRST_SHARE = 0.1;

/**
 * The share of a backend that has been usable for so long: grows in a straight line (as HAProxy's
 * slowstart; Envoy's aggression 1) and is never below 10 %.
 * @param windowMs 0: no slow start, the share is 1.
 */
export function slowShare(usableMs: number, windowMs: number): number {
  return usableMs >= windowMs ? 1 : Math.max(FIRST_SHARE, usableMs / windowMs);
}

interface Seen {
  usable: boolean;
  /** When it last became usable; -Infinity when it was from the start. */
  sinceMs: number;
}

/** Remembers since when the backends of one pool have been usable. */
export class SlowStart {
  readonly #seen = new Map<string, Seen>();

  /**
   * Tells whether a backend is usable now.
   * @param joined whether one that was never told of before comes to a pool that runs already. Backends
   * that were there when the pool began start with their whole share: all are alike then.
   */
  observe(id: string, usable: boolean, joined: boolean, nowMs: number): void {
    const seen = this.#seen.get(id);
    if (seen === undefined) {
      this.#seen.set(id, { usable, sinceMs: joined ? nowMs : -Infinity });
      return;
    }
    if (usable && !seen.usable) seen.sinceMs = nowMs;
    seen.usable = usable;
  }

  /** Its share, {@linkcode slowShare}; 1 for a backend that was never told of. */
  share(id: string, windowMs: number, nowMs: number): number {
    return slowShare(nowMs - (this.#seen.get(id)?.sinceMs ?? -Infinity), windowMs);
  }

  forget(id: string): void {
    this.#seen.delete(id);
  }
}
