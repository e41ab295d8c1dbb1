// How long a backend that has misbehaved is held back: longer each time, and less again after good
// conduct. And how many may be held back at once.

import type { HoldCause } from "../pool/member.ts";
import { isForgiven } from "./panic.ts";
import type { Pool } from "../pool/pool.ts";

/** So many base times without a strike forgive one. */
const FORGIVEN_AFTER = 10;

/** Causes of holds that rest on what sessions went through, not on what somebody said. */
export const WATCHED_CAUSES = ["outlier", "black_hole"] as const satisfies readonly HoldCause[];

/** How ejections grow: the n-th is so many times the first one. */
export type Growth = (backoff: number) => number;

/** As Envoy's: 30 s, 60 s, 90 s, up to 300 s. */
export const LINEAR: Growth = (backoff: number): number => Math.min(10, backoff);
/** Where every trial costs somebody a session. */
export const DOUBLING: Growth = (backoff: number): number => 2 ** (Math.min(7, backoff) - 1);

/** The backoff of one backend. */
export class EjectionBackoff {
  #count = 0;
  #endedMs = -Infinity;

  constructor(readonly growth: Growth) {}

  /** One strike more. @returns how long it is to be held back. */
  add(baseMs: number, nowMs: number): number {
    const forgiven = Math.floor((nowMs - this.#endedMs) / (FORGIVEN_AFTER * baseMs));
    this.#count = Math.max(0, this.#count - Math.max(0, forgiven)) + 1;
    const heldForMs = baseMs * this.growth(this.#count);
    this.#endedMs = nowMs + heldForMs;
    return heldForMs;
  }
}

/**
 * Whether one more backend may be held back for what sessions went through: not the last usable one
 * (those that only a panic lets take part are none), and not more than this share of the pool (of a small
 * pool, one).
 * @param maxShare 0 to 1.
 */
export function mayHold(pool: Pool, id: string, maxShare: number): boolean {
  const { members } = pool;
  const others = members.filter(({ backend }) => backend.id !== id);
  const held = others.filter(({ holds }) => WATCHED_CAUSES.some((cause) => holds.has(cause)));
  return held.length < Math.max(1, Math.floor(maxShare * members.length)) &&
    others.some((member) => pool.isUsable(member) && !isForgiven(pool, member));
}
