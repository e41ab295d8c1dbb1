// Whether a backend may be sent sessions at all, in one word: what the control plane writes into a row
// beside its eligibility, so that a pick can say why a backend did not take part.

import { HOLD_CAUSES, isOverruled, type Member, type Obstacle, SHORTAGES } from "./member.ts";
import { STANDING } from "../pick/pick_table.ts";
import type { Pool } from "./pool.ts";

/** Standings by the number that stands in a row. */
export const STANDINGS = [
  "ready",
  "leaving",
  "down",
  "draining",
  "disabled",
  "unresolved",
  "no_weight",
  ...HOLD_CAUSES,
] as const;

/** `ready`, or the first thing that keeps sessions away: a hold has the name of its cause. */
export type Standing = typeof STANDINGS[number];

/** What keeps new sessions away from a backend, `ready` when nothing does; as {@linkcode Pool.isUsable}. */
export function standingOf(pool: Pool, member: Member): Standing {
  if (member.leaving) return "leaving";
  const { forgiven } = pool;
  if (member.health.state === "down" && !forgiven.has("down")) return "down";
  if (member.admin !== "enabled") return member.admin;
  for (const cause of member.holds.keys()) {
    if (!forgiven.has(cause) && !isOverruled(member, cause)) return cause;
  }
  if (member.addresses.length === 0) return "unresolved";
  return pool.weightOf(member) > 0 ? "ready" : "no_weight";
}

const BUT_FOR_SHORTAGES: ReadonlySet<Obstacle> = new Set(SHORTAGES);

/** The tier (ELIGIBLE) of a backend that is held back for a shortage and nothing else; 0: it is no backup. */
export function backupTierOf(pool: Pool, member: Member): number {
  const isShort = !pool.isUsable(member) && pool.isUsable(member, BUT_FOR_SHORTAGES);
  return isShort ? member.backupTier : 0;
}

/** Says in the table why those that are not eligible are not, for who asks about a decision. */
export function writeStandings(pool: Pool): void {
  for (const member of [...pool.members, ...pool.leaving]) {
    pool.table.write(member.row, STANDING, STANDINGS.indexOf(standingOf(pool, member)));
  }
}
