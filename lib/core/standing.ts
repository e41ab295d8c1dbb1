// Whether a backend may be sent sessions at all, in one word: what the control plane writes into a row
// beside its eligibility, so that a pick can say why a backend did not take part.

import type { Member } from "./pool.ts";

/** Standings by the number that stands in a row. */
export const STANDINGS = [
  "ready",
  "leaving",
  "down",
  "draining",
  "disabled",
  "held_back",
  "unresolved",
] as const;

/** `ready`, or the first thing that keeps sessions away. */
export type Standing = typeof STANDINGS[number];

/** What keeps new sessions away from a backend, `ready` when nothing does; as {@linkcode Pool.isUsable}. */
export function standingOf(member: Member): Standing {
  if (member.leaving) return "leaving";
  if (member.health.state === "down") return "down";
  if (member.admin !== "enabled") return member.admin;
  if (member.holds.size > 0) return "held_back";
  return member.addresses.length === 0 ? "unresolved" : "ready";
}
