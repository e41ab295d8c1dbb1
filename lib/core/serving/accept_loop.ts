// The one accept loop. Not `for await`: that ends at the first client that resets before it is accepted
// (denoland/deno#8499) and at the first lack of descriptors.

import type { Clock } from "../timing/clock.ts";
import { classify, type FailureKind, messageOf } from "../values/errors.ts";
import { isNews } from "../timing/throttled_condition.ts";

/** How long the loop rests when accepting fails, for lack of descriptors most often. */
const PAUSE_MS = 100;

const NEVER = new AbortController().signal;

/**
 * Hands on every connection until the listener is closed.
 * @param accepted may return a promise: the next connection is accepted when it resolves.
 * @param onFailure told once when accepting begins to fail, not again until it has not failed for a while.
 * @param trouble what listeners remember together that run out of the same (trouble.ts).
 */
export async function acceptEach<T>(
  listener: { accept(): Promise<T> },
  clock: Clock,
  accepted: (conn: T) => void | Promise<void>,
  onFailure: (failure: FailureKind, message: string) => void = () => {},
  condition: Int32Array = new Int32Array(1),
): Promise<void> {
  for (;;) {
    try {
      const pause = accepted(await listener.accept());
      if (pause !== undefined) await pause;
    } catch (error) {
      const failure = classify(error);
      if (failure === "closed") return;
      // Deno accepts no client whose own socket has a name that is not UTF-8, and closes it: no reason to rest.
      if (failure === "reset" || isBadName(error)) continue;
      if (isNews(condition, 0, clock.now())) onFailure(failure, messageOf(error));
      await clock.sleep(PAUSE_MS, NEVER);
    }
  }
}

function isBadName(error: unknown): boolean {
  return error instanceof Error && error.name === "InvalidData";
}

/** Closes what may be closed already. */
export function closeQuietly(resource: { close(): void }): void {
  try {
    resource.close();
  } catch {
    // BadResource: closed before.
  }
}
