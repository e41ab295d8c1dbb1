// What a pool knows of one backend.

import type { Address } from "../values/address.ts";
import type { AgentStanding } from "./agent_advice.ts";
import type { Backend } from "./backend.ts";
import type { AdminState } from "./health.ts";
import type { LoadSample } from "./load.ts";
import type { RiseFall } from "./rise_fall.ts";

/** Who can hold a backend back: its load source's word, its own agent, or one of the pool's watches. */
export const HOLD_CAUSES = [
  "offline",
  "agent",
  "memory",
  "pressure",
  "outlier",
  "black_hole",
] as const;

export type HoldCause = typeof HOLD_CAUSES[number];

/** Holds of those that can be used, but had better not be. */
export const SHORTAGES = ["memory", "pressure"] as const satisfies readonly HoldCause[];

/** What can keep sessions away from an enabled backend. */
export type Obstacle = HoldCause | "down";

/** Why a backend gets no new session although it is healthy and enabled. */
export interface Hold {
  readonly reason: string;
  readonly sinceMs: number;
}

/** All that is known of one backend: nothing when it joins. */
export class Member {
  /** Why health is what it is. */
  healthReason = "not probed yet";
  healthSinceMs: number;
  /** Connects in a row that the engine saw fail. */
  connectFailures = 0;
  lastConnectedMs = -Infinity;
  admin: AdminState = "enabled";
  /** Resolved; empty while the name has never resolved. */
  addresses: readonly Address[] = [];
  nameFailure: string | undefined;
  /** The last sample, however old. */
  load: LoadSample | undefined;
  /** Whether it was said that the last sample is too old. */
  agedLoadTold = false;
  /** Why there is no newer sample. */
  loadFailure: string | undefined;
  /** Whether it was said that its load source does not answer. */
  silenceTold = false;
  readonly holds = new Map<HoldCause, Hold>();
  /** What its agent has said; undefined when it has none. */
  agent: AgentStanding | undefined;
  /** When the load source last said that no session must go there. */
  offlineSaidMs = -Infinity;
  learntCores: number | undefined;
  /** What of its weight counts while it comes back slowly; 1 otherwise. */
  share = 1;
  /** While it is short of something: its ELIGIBLE as a backup where nothing else is in the way; 0: none. */
  backupTier = 0;
  /** What it is short of where it is used all the same, for want of one that has enough. */
  shortage: string | undefined;
  /** Why what its source says of its load is not believed. */
  loadDoubt: string | undefined;
  /** Whether that goes for memory and pressure of its samples, too. */
  figuresDoubted = false;
  /** Left the pool; its last tunnels are still on. */
  leaving = false;
  leftMs = 0;

  /** @param nowMs when it joins. */
  constructor(
    public backend: Backend,
    readonly row: number,
    readonly health: RiseFall,
    nowMs: number,
  ) {
    this.healthSinceMs = nowMs;
  }
}

/** Holds by which a backend's own side speaks. */
export const OWN_WORDS = ["offline", "agent"] as const satisfies readonly HoldCause[];

/** Whether a hold keeps nobody away because an administrator has overruled what it says. */
export function isOverruled({ holds, backend: { overrules } }: Member, cause: HoldCause): boolean {
  return overrules !== undefined && OWN_WORDS.some((word) => word === cause) &&
    holds.get(cause)?.reason === overrules;
}
