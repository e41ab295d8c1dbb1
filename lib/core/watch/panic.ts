// Panic: so few backends are left that holding others back does more harm than trying them.

import type { Member, Obstacle } from "../pool/member.ts";
import type { Pool } from "../pool/pool.ts";

export interface PanicRules {
  /** Below this usable share of the backends that could be used, ejections are forgiven; 0: never. */
  readonly belowShare: number;
  /** Whether backends that are down are tried when nobody else is left. */
  readonly lastResort: boolean;
}

/** What a panic is about: how many are left, and what is forgiven for that. */
export interface Panic {
  readonly usable: number;
  /** Backends that are usable but for health and the pool's own watches. */
  readonly considered: number;
  readonly forgiven: ReadonlySet<Obstacle>;
}

const NONE: ReadonlySet<Obstacle> = new Set();
/** What panic can forgive. Administration, an agent's word, lack of memory: never. */
const OURS: ReadonlySet<Obstacle> = new Set(["down", "outlier", "black_hole"]);
/** In this order: a connect that fails is tried elsewhere, a session in a black hole is lost. */
const OUTLIERS: ReadonlySet<Obstacle> = new Set(["outlier"]);
const BLACK_HOLES: ReadonlySet<Obstacle> = new Set(["outlier", "black_hole"]);

/**
 * Decides what is forgiven now, and tells the pool.
 *
 * Outliers are forgiven when fewer than `belowShare` of the backends are usable (Envoy's panic
 * threshold): a connect that fails costs a moment, the client goes to the next one. Black holes only
 * when nobody else is left: they look idle, so one of them would draw all sessions and lose them. What
 * is down is tried only as a last resort, if that is wished.
 * @returns undefined while nothing has to be forgiven, or would help.
 */
export function judgePanic(pool: Pool, rules: PanicRules): Panic | undefined {
  pool.setForgiven(NONE);
  const { members } = pool;
  const count = (butFor: ReadonlySet<Obstacle>) =>
    members.filter((member) => pool.isUsable(member, butFor)).length;
  const usable = count(NONE);
  const considered = count(OURS);
  const few = usable < rules.belowShare * considered;
  if (usable > 0 && !few) return undefined;
  const steps = usable > 0
    ? [OUTLIERS]
    : [OUTLIERS, BLACK_HOLES, ...(rules.lastResort ? [OURS] : [])];
  const forgiven = steps.find((step) => count(step) > usable);
  if (forgiven === undefined) return undefined;
  pool.setForgiven(forgiven);
  return { usable, considered, forgiven };
}

/**
 * Whether something stands against a backend that a panic forgives for the moment: it is used, but is
 * nobody to rely on.
 */
export function isForgiven({ forgiven }: Pool, { health, holds }: Member): boolean {
  return (health.state === "down" && forgiven.has("down")) ||
    holds.keys().some((cause) => forgiven.has(cause));
}
