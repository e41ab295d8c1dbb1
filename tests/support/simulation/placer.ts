// What a balancer is to the simulator: it hears samples and ends of its own sessions, and places.

import type { Chance } from "../chance.ts";

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

/** A job as it would run on a server of its own. */
export interface PlannedJob {
  readonly start: number;
  readonly end: number;
  readonly threads: number;
}

/** Instead of a server: the session waits, and asks again. */
export const WAITS = -2;

/** One balancer. Times are seconds from the simulation's start. */
export interface Placer {
  /** How long sessions wait for a server at most; absent: not at all. */
  readonly queueSeconds?: number;
  /**
   * Chooses a server among those that are in, and counts the session there; -1: there is none.
   * @param client who asks: an integer, 0 or more, the same for all that a client ever asks for.
   * @param patience seconds that the session may wait still: if it is above 0, WAITS is an answer, too.
   */
  place(now: number, client: number, patience: number): number;
  /** A session that it placed at a time has ended. */
  ended(server: number, now: number, placedAt: number): void;
  /** A sample has arrived; it tells the load and the pressure that /proc showed a moment before. */
  sampled(server: number, load1: number, now: number, cpuPressure: number): void;
  /** A server joins or leaves; all are out at the start. Sessions on one that leaves go on. */
  admitted(server: number, isIn: boolean, now: number): void;
  /** For prophets alone: what the session that {@linkcode place} is about to be asked for will do. */
  foresee?(jobs: readonly PlannedJob[]): void;
  /** For prophets alone: a session, placed by whomever, has come to a server. */
  opened?(server: number, jobs: readonly PlannedJob[]): void;
}

export type PlacerMaker = (context: PlacerContext) => Placer;
