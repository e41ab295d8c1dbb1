// How sources that only answer when they are asked are watched: again and again, each time within a deadline.

import { type Clock, jittered, type Random } from "../core/timing/clock.ts";
import { aborted, withDeadline } from "../core/timing/with_deadline.ts";
import { describeDuration } from "../core/values/duration.ts";
import type { Result } from "../core/values/result.ts";
import type { DiscoveredList } from "./discovery_source.ts";
import { ANSWER_MS } from "./servers.ts";

/** What a source was told when it was asked. */
export interface Polled extends DiscoveredList {
  /** When it is asked again, in milliseconds; absent: after the interval. */
  readonly againMs?: number;
  /** Resolves when the answer may be another before that. Ends soon after its signal is aborted. */
  readonly changed?: (signal: AbortSignal) => Promise<void>;
}

/**
 * Yields what each question gives, until the signal is aborted.
 * @param ask ends soon after its signal is aborted.
 * @param timeoutMs for one answer.
 * @throws {Error} saying why there is no list; also where nothing in it could be read.
 */
export async function* polled(
  ask: (signal: AbortSignal) => Promise<Result<Polled>>,
  { intervalMs, timeoutMs = ANSWER_MS }: {
    readonly intervalMs: number;
    readonly timeoutMs?: number;
  },
  { clock, random }: { readonly clock: Clock; readonly random: Random },
  signal: AbortSignal,
): AsyncGenerator<DiscoveredList> {
  const late = () => new Error(`no answer within ${describeDuration(timeoutMs)}`);
  while (!signal.aborted) {
    const asked = await withDeadline(clock, timeoutMs, ask, signal, late);
    if (signal.aborted) return;
    if (!asked.ok) throw new Error(asked.message);
    const { againMs = intervalMs, changed = aborted, ...list } = asked.value;
    const [skipped] = list.skipped;
    if (list.backends.length === 0 && skipped !== undefined) throw new Error(skipped);
    yield list;
    await withDeadline(clock, jittered(againMs, random), changed, signal);
  }
}
