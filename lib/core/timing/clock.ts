// Time as the program sees it. Passed in wherever time matters, so that tests control time.

export interface Clock {
  /**
   * Milliseconds that only ever go forward, at their own pace: for ages, durations and deadlines. They
   * begin near the epoch's count but do not follow the wall clock when it is set.
   */
  now(): number;
  /** Milliseconds since the epoch, as the wall clock has it: for records that people read. */
  wall(): number;
  /**
   * Waits, at least `ms` milliseconds.
   * @throws the signal's reason when it is aborted first.
   */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** A number in [0, 1), as Math.random gives; passed in so that tests can repeat a run. */
export type Random = () => number;

/** Spreads an interval by ±10 %, so that many periodic tasks do not march in step. */
export function jittered(intervalMs: number, random: Random): number {
  return intervalMs * (0.9 + 0.2 * random());
}
