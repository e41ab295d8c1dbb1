// Follows a discovery source for as long as somebody wants its lists: whenever it cannot be asked, it is
// watched again, after a pause that grows from failure to failure.

import { oneLine } from "../asking/reason.ts";
import type { Clock, Random } from "../core/timing/clock.ts";
import { waitAtMost } from "../core/timing/with_deadline.ts";
import { messageOf } from "../core/values/errors.ts";
import type { DiscoveredList, DiscoverySource } from "./discovery_source.ts";

export interface Follower {
  readonly clock: Clock;
  readonly random: Random;
  /** Told each list. */
  readonly took: (list: DiscoveredList) => void;
  /** Told each time why the source cannot be asked; what it said last goes on to hold. */
  readonly failed: (reason: string) => void;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/** How long a source may take to end. */
const END_MS = 2000;

/**
 * Waits for the end of a source whose signal is aborted; one that does not heed it holds nobody up.
 * @param following what {@linkcode follow} gave.
 */
export async function endOf(following: Promise<void>, clock: Clock): Promise<void> {
  // What it cannot let go of ends with the process.
  await waitAtMost(clock, END_MS, following);
}

/** Watches a source until the signal is aborted. Never rejects. */
export async function follow(
  source: DiscoverySource,
  signal: AbortSignal,
  { clock, random, took, failed }: Follower,
): Promise<void> {
  let pauseMs = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    let reason = "it has ended what it had to say";
    try {
      for await (const list of source.watch(signal)) {
        if (signal.aborted) return;
        pauseMs = FIRST_PAUSE_MS;
        took(list);
      }
    } catch (error) {
      reason = oneLine(messageOf(error));
    }
    if (signal.aborted) return;
    failed(reason);
    // Many that lost one server do not come back to it in step.
    await clock.sleep(pauseMs * (0.5 + random()), signal).catch(() => {});
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
  }
}
