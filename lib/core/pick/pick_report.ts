// One pick as people and recordings are told of it: what the balancer saw at that instant, why it chose, and
// what became of it.

import type { FailureKind } from "../values/errors.ts";
import type { PickOutcome, SeenBackend, Snapshot, Why } from "./snapshot_reader.ts";

/** One pick for a connection, and what became of it. */
export interface PickTrace {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** The kernel that chose, such as "most_free". */
  readonly kernel: string;
  /** What the kernel saw of the pool at that instant; undefined once thousands of picks have followed. */
  readonly snapshot: Snapshot | undefined;
  /** Why the chosen backend did not take the connection; undefined when it did, or nobody was chosen. */
  readonly failure: FailureKind | undefined;
}

/** One pick: what the balancer saw at that instant, and why it chose. */
export interface PickReport {
  readonly at: string;
  /** In the words of lb.conf. */
  readonly strategy: string;
  readonly why: Why;
  /** Null when nobody could be chosen. */
  readonly backend: string | null;
  /** Why the chosen backend did not take the connection; null when it did. */
  readonly failure: string | null;
  /** The winner if there is one, the runner-up, then the others. */
  readonly backends: readonly SeenReport[];
  /** Backends of the pool that are not listed. */
  readonly omitted: number;
  /** Scores so near to the best were as good. */
  readonly nearlyEqual: number;
  /** The random number that near-equals are drawn by, in [0, 1). */
  readonly draw: number;
}

export interface SeenReport {
  readonly backend: string;
  readonly outcome: PickOutcome;
  /** Cores, as the kernel saw them; null when nobody knows. */
  readonly free: number | null;
  /** What least_load compared: free cores, less sure ones scaled down; null when it did not. */
  readonly score: number | null;
  /** Sessions, this one not counted. */
  readonly active: number;
  /** Its share beside others; 1 unless something says otherwise. */
  readonly weight: number;
}

/** The strategy that a pool's kernel ran for, in the words of lb.conf. */
export type StrategyOf = (pool: string, kernel: string) => string;

/** One pick as `why` and recordings tell it; undefined when what it saw is forgotten. */
export function reportPick(
  { snapshot, failure }: PickTrace,
  pool: string,
  strategyOf: StrategyOf,
): Omit<PickReport, "at"> | undefined {
  if (snapshot === undefined) return undefined;
  const { kernel, why, backends, omitted, nearlyEqual, draw } = snapshot;
  const [first] = backends;
  return {
    strategy: strategyOf(pool, kernel),
    why,
    backend: first?.outcome === "chosen" ? first.backend : null,
    failure: failure ?? null,
    backends: backends.map(reportSeen),
    omitted,
    nearlyEqual: nearlyEqual / 1000,
    draw,
  };
}

function reportSeen(seen: SeenBackend): SeenReport {
  const { backend, outcome, freeMilliCores, score, active, weight = 1 } = seen;
  return {
    backend,
    outcome,
    free: freeMilliCores === undefined ? null : freeMilliCores / 1000,
    score: score === undefined ? null : score / 1000,
    active,
    weight,
  };
}
