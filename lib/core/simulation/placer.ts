// What a balancer is to the simulator: it hears samples and ends of its own sessions, and places.

import type { Chance } from "./chance.ts";

export interface PlacerContext {
  /** Cores by server. */
  readonly cores: readonly number[];
  /** Its own randomness. */
  readonly chance: Chance;
  /** Seconds between two samples of a server. */
  readonly pollSeconds: number;
  /** The truth, for oracles alone: threads that run on a server now. */
  readonly running: (server: number) => number;
}

/** One balancer. Times are seconds from the simulation's start. */
export interface Placer {
  /** Chooses a server among those that are in, and counts the session there; -1: there is none. */
  place(now: number): number;
  /** A session that it placed has ended. */
  ended(server: number, now: number): void;
  /** A sample has arrived; it tells the load that /proc/loadavg showed a moment before. */
  sampled(server: number, load1: number, now: number): void;
  /** A server joins or leaves; all are out at the start. Sessions on one that leaves go on. */
  admitted(server: number, isIn: boolean, now: number): void;
}

export type PlacerMaker = (context: PlacerContext) => Placer;
