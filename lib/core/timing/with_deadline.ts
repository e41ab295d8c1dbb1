// Time limits, by the Clock: on something that takes an AbortSignal, and on waiting for something that takes none.

import type { Clock } from "./clock.ts";

/**
 * Runs something whose signal is aborted when the time is over, with what `late` gives (absent: an
 * AbortError), or when the other signal is, with its reason. What it makes of that is its own affair.
 */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  run: (signal: AbortSignal) => Promise<T>,
  other?: AbortSignal,
  late?: () => unknown,
): Promise<T> {
  const deadline = new AbortController();
  const finished = new AbortController();
  const follow = () => deadline.abort(other?.reason);
  other?.addEventListener("abort", follow, { once: true });
  if (other?.aborted) follow();
  const timer = clock.sleep(ms, finished.signal).then(() => deadline.abort(late?.()), () => {});
  try {
    return await run(deadline.signal);
  } finally {
    finished.abort();
    other?.removeEventListener("abort", follow);
    await timer;
  }
}

/** Waits for something, but no longer than this, or than the other signal lets it; it goes on unseen then. */
export async function waitAtMost(
  clock: Clock,
  ms: number,
  pending: Promise<unknown>,
  other?: AbortSignal,
): Promise<void> {
  const wait = (signal: AbortSignal) => Promise.race([pending, aborted(signal)]);
  await withDeadline(clock, ms, wait, other);
}

/** Resolves when the signal is aborted, at once if it is already. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
