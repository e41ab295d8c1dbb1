// A trouble that comes and goes many times a second (descriptors run out, one is freed, they run out
// again) is said once, not each time.

/** A trouble is over, and the next one worth a word, when it has not been felt for so long. */
const QUIET_SECONDS = 10;

/**
 * Takes in that a trouble is felt at this time.
 * @param words holds what is remembered of it, at `at`: 0 at first; threads may share it.
 * @param nowMs by the Clock's now(), or one that agrees with it.
 * @returns whether that is news.
 */
export function isNews(words: Int32Array, at: number, nowMs: number): boolean {
  const second = Math.floor(nowMs / 1000) | 0;
  const quietUntil = Atomics.exchange(words, at, (second + QUIET_SECONDS) | 0);
  return quietUntil === 0 || ((second - quietUntil) | 0) >= 0;
}
