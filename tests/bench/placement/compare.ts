// Runs one cell of the benchmark for many strategies on the same sessions, and compares them.

import { BASELINES } from "../../support/simulation/baselines.ts";
import { ClusterSimulation, type Outcome } from "../../support/simulation/cluster.ts";
import { first, leastLoad, sourceHash, twoChoices } from "../../support/simulation/own_placers.ts";
import { Clairvoyant } from "../../support/simulation/clairvoyant.ts";
import type { PlacerMaker } from "../../support/simulation/placer.ts";
import type { Scenario } from "../../support/simulation/scenario.ts";
import { type Estimate, estimateMean, estimateRatio } from "../../support/simulation/statistics.ts";
import { type Cell, CORES, scenarioOf } from "./scenarios.ts";

/** How much of which servers is in use. */
export type PoolUse = Pick<Cell, "utilisation" | "cores">;

export interface Row {
  readonly name: string;
  readonly label: string;
  readonly make: (pool: PoolUse) => PlacerMaker;
  /** Whether polls change anything for it. */
  readonly polls: boolean;
  /** An oracle or a bound: no program can know what it knows. */
  readonly isBound?: boolean;
}

export const OURS: Row = {
  name: "least_load",
  label: "least_load (ours)",
  make: () => leastLoad(),
  polls: true,
};

/** As pace is by default. */
const PACE = { paceSessions: 6, paceSeconds: 1.25 };

/** Ours, paced, each session placed at once. */
export const PACED: Row = {
  name: "least_load_paced",
  label: "least_load (ours), paced",
  make: () => leastLoad(PACE),
  polls: true,
};

/** Ours as the program runs it unless told otherwise: sessions wait for a place as long as queue.timeout. */
export const QUEUED: Row = {
  name: "least_load_queued",
  label: "least_load (ours), paced, waits 3 s",
  make: () => leastLoad({ ...PACE, queueSeconds: 3 }),
  polls: true,
};

/** For people who type their passwords: each is young until all have. */
export const PACED_LONG: Row = {
  name: "least_load_paced_long",
  label: "least_load (ours), paced 10 s, waits 3 s",
  make: () => leastLoad({ ...PACE, paceSeconds: 10, queueSeconds: 3 }),
  polls: true,
};

/** Every strategy of the table, in its order. */
export const ROWS: readonly Row[] = [
  OURS,
  row("cores_minus_load", "ancestor: cores - load1", true),
  row("agent_round_robin", "HAProxy roundrobin, agent-check", true),
  row("agent_leastconn", "HAProxy leastconn, agent-check", true),
  row("leastconn", "HAProxy leastconn", false),
  row("leastconn_weighted", "HAProxy leastconn, weights = cores", false),
  row("two_choices", "two choices by cores - load1", true),
  row("round_robin", "round robin", false),
  row("random", "random", false),
  row("weighted_random", "random, weights = cores", false),
  {
    name: "two_choices_ours",
    label: "two_choices (ours)",
    make: () => twoChoices(),
    polls: true,
  },
  { name: "first", label: "first (ours)", make: () => first(), polls: true },
  { name: "source_hash", label: "source_hash (ours)", make: () => sourceHash(), polls: false },
  {
    name: "source_hash_weighted",
    label: "source_hash (ours), weights = cores",
    make: () => sourceHash({ weighted: true }),
    polls: false,
  },
  { ...row("oracle", "oracle: cores - running tasks", false), isBound: true },
  { ...row("speed_oracle", "oracle by speed of the next task", false), isBound: true },
  { ...row("polls_without_lag", "polls that do not lag", true), isBound: true },
  {
    name: "clairvoyant",
    label: "clairvoyant: all that sessions will do",
    make: prophetOf,
    polls: false,
    isBound: true,
  },
];

function row(name: keyof typeof BASELINES, label: string, polls: boolean): Row {
  return { name, label, make: () => BASELINES[name], polls };
}

/** Looks ten minutes ahead; knows every session that is there and the one that comes, not those after it. */
function prophetOf({ utilisation, cores = CORES }: PoolUse): PlacerMaker {
  const total = cores.reduce((sum, count) => sum + count, 0);
  const options = { meanThreads: utilisation * total, horizonSeconds: 600 };
  return (context) => new Clairvoyant(context, options);
}

export interface Effort {
  readonly replications: number;
  readonly hours: number;
  /** Seed of the first replication; the others follow it. */
  readonly firstSeed: number;
}

/** Outcomes by strategy, one for each seed; the same seeds for all. */
export type Outcomes = ReadonlyMap<string, readonly Outcome[]>;

/**
 * Runs all replications of a cell for these strategies.
 * @param known outcomes of another poll interval, for those to whom polls tell nothing.
 */
export function runCell(
  cell: Cell,
  rows: readonly Row[],
  effort: Effort,
  known: Outcomes = new Map(),
): Outcomes {
  return runScenarios(cell, (seed) => scenarioOf(cell, seed, effort.hours), rows, effort, known);
}

/** Runs all replications of scenarios, one for each seed, for these strategies. */
export function runScenarios(
  pool: PoolUse,
  scenario: (seed: number) => Scenario,
  rows: readonly Row[],
  effort: Pick<Effort, "replications" | "firstSeed">,
  known: Outcomes = new Map(),
): Outcomes {
  const outcomes = new Map<string, readonly Outcome[]>();
  for (const { name, make, polls } of rows) {
    const earlier = polls ? undefined : known.get(name);
    outcomes.set(
      name,
      earlier ?? Array.from({ length: effort.replications }, (_, index) => {
        const seed = effort.firstSeed + index;
        return new ClusterSimulation(scenario(seed), make(pool), seed).run();
      }),
    );
  }
  return outcomes;
}

/** One number of each replication. */
export function values(
  outcomes: Outcomes,
  name: string,
  read: (outcome: Outcome) => number,
): number[] {
  return (outcomes.get(name) ?? []).map(read);
}

export const excess = (outcome: Outcome): number => outcome.meanSlowdown - 1;

/** Ratio of two strategies' means of a number. */
export function ratio(
  outcomes: Outcomes,
  above: string,
  below: string,
  read: (outcome: Outcome) => number = excess,
): Estimate {
  return estimateRatio(values(outcomes, above, read), values(outcomes, below, read));
}

export interface Rival {
  readonly name: string;
  /** Its excess mean slowdown. */
  readonly excess: number;
  /** Our excess mean slowdown less its own, over pairs of the same seed. */
  readonly difference: Estimate;
}

/** Compares ours with every strategy that a program can follow. */
export function rivals(outcomes: Outcomes): Rival[] {
  const ours = values(outcomes, OURS.name, excess);
  return ROWS.filter(({ name, isBound }) => isBound !== true && name !== OURS.name)
    .map(({ name }) => {
      const theirs = values(outcomes, name, excess);
      const difference = estimateMean(ours.map((value, i) => value - (theirs[i] ?? 0)));
      return { name, excess: estimateMean(theirs).mean, difference };
    });
}

export function show({ mean, halfWidth }: Estimate, digits = 4): string {
  if (!Number.isFinite(mean)) return "-";
  return `${mean.toFixed(digits)} ±${halfWidth.toFixed(digits)}`;
}
