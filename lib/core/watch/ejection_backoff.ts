// How long a backend that has misbehaved is held back: longer with each ejection, shorter again after a
// time without one. And how many backends may be held back at once.

import type { HoldCause } from "../pool/member.ts";
import { isForgiven } from "./panic.ts";
import type { Pool } from "../pool/pool.ts";

/** One ejection is forgotten for each time of this many base times without another. */
const FORGOTTEN_AFTER = 10;

/** Causes of holds that rest on what sessions went through, not on what somebody said. */
const WATCHED_CAUSES = ["outlier", "black_hole"] as const satisfies readonly HoldCause[];

/** How many times the first hold the n-th lasts. */
export type Growth = (ejections: number) => number;

/** As Envoy's: 30 s, 60 s, 90 s, up to 300 s. */
export const LINEAR: Growth = (ejections: number): number => Math.min(10, ejections);
/** Where every trial costs somebody a session. */
export const DOUBLING: Growth = (ejections: number): number => 2 ** (Math.min(7, ejections) - 1);

/** The ejections of one backend. */
export class EjectionBackoff {
  #count = 0;
  #endedMs = -Infinity;

  constructor(readonly growth: Growth) {}

  /** One ejection more. @returns how long the backend is held back, in milliseconds. */
  add(baseMs: number, nowMs: number): number {
    const forgotten = Math.floor((nowMs - this.#endedMs) / (FORGOTTEN_AFTER * baseMs));
    this.#count = Math.max(0, this.#count - Math.max(0, forgotten)) + 1;
    const heldForMs = baseMs * this.growth(this.#count);
    this.#endedMs = nowMs + heldForMs;
    return heldForMs;
  }
}

/**
 * Whether one more backend may be held back for what sessions went through: not the last usable one
 * (one that is usable only because of a panic does not count), and not more than this share of the pool (of a small
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
