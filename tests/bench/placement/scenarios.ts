// The pools and people that placement is measured with. Shapes follow what is known of shared compute
// servers: lifetimes of processes fall as 1/T (Harchol-Balter and Downey 1997), most sessions idle, a
// few work hard, and some work never passes the balancer.

import type { Stream, Train } from "../../support/simulation/arrivals.ts";
import { Chance } from "../../support/chance.ts";
import type { Polls, Scenario } from "../../support/simulation/scenario.ts";
import {
  type Behaviour,
  exponentialSizes,
  idling,
  interactive,
  oneJob,
  paretoSizes,
} from "../../support/simulation/workload.ts";

/** Servers by cores. The constants of the estimator were searched for on pool a; pool b checks them. */
export const POOLS = {
  a: [4, 8, 8, 12, 16, 16, 24, 32],
  b: [2, 4, 4, 8, 8, 12, 16, 20, 32, 64],
} as const satisfies Readonly<Record<string, readonly number[]>>;

export type PoolName = keyof typeof POOLS;

export function isPoolName(name: string): name is PoolName {
  return Object.hasOwn(POOLS, name);
}

/** Eight unequal servers. */
export const CORES: readonly number[] = POOLS.a;

/** As many servers and cores, in equal servers: there chance alone is no folly, and so the one to beat. */
export function equalCores(cores: readonly number[]): readonly number[] {
  const mean = cores.reduce((sum, count) => sum + count, 0) / cores.length;
  return cores.map(() => mean);
}

export const EQUAL_CORES: readonly number[] = equalCores(CORES);

const HOUR = 3600;

export type WorkloadName = "one_job" | "interactive";

/** A session is one job of 30 s to 8 h, one job in ten with two or four threads. */
const ONE_JOB: Behaviour = oneJob(paretoSizes(1, 30, 8 * HOUR), [
  { threads: 2, share: 0.07 },
  { threads: 4, share: 0.03 },
]);

/** Half the sessions idle for hours; the others run a dozen jobs with pauses and then linger. */
const INTERACTIVE: Behaviour = interactive({
  idleShare: 0.5,
  idleStay: paretoSizes(1, 0.5 * HOUR, 10 * HOUR),
  meanJobs: 12,
  job: paretoSizes(1, 10, 2 * HOUR),
  wide: [{ threads: 2, share: 0.1 }, { threads: 4, share: 0.05 }],
  firstPause: exponentialSizes(30),
  pause: paretoSizes(1.2, 30, HOUR),
  lastPause: paretoSizes(1, 60, 2 * HOUR),
});

/** Work that does not pass the balancer: batch and cron, longer jobs. */
const OUTSIDE: Behaviour = oneJob(paretoSizes(1, 30, 6 * HOUR), [
  { threads: 2, share: 0.1 },
  { threads: 4, share: 0.05 },
]);

/** A pupil's session: the program of the lesson starts within seconds and runs on and off. */
export const PUPIL: Behaviour = interactive({
  idleShare: 0,
  idleStay: exponentialSizes(1),
  meanJobs: 6,
  job: exponentialSizes(240),
  wide: [],
  firstPause: exponentialSizes(8),
  pause: exponentialSizes(60),
  lastPause: exponentialSizes(120),
});

/** One command over ssh: a copy, a fetch, a task of Ansible, a check of monitoring. */
export const SHORT: Behaviour = idling(exponentialSizes(0.5));

/** Scripts that work their way through files or hosts, several scripts at a time. */
const SCRIPTS = 4;
const SCRIPT: Train = { meanSessions: 20, gapSeconds: 0.3 };

export interface Cell {
  readonly workload: WorkloadName;
  readonly utilisation: number;
  readonly pollSeconds: number;
  readonly balancers?: number;
  /** Share of the work that arrives outside; 0 for one_job and 0.4 for interactive unless told. */
  readonly outside?: number;
  /** Short sessions as a share of all that balancers place; 0 unless told. */
  readonly short?: number;
  readonly classStart?: boolean;
  /** How long a class takes to log in; a minute unless told. */
  readonly classSeconds?: number;
  readonly churn?: boolean;
  /** Instead of {@linkcode CORES}. */
  readonly cores?: readonly number[];
}

export function pollsEvery(intervalSeconds: number): Polls {
  return { intervalSeconds, jitter: 0.1, delaySeconds: 0.05, loss: 0.01 };
}

/** Builds one replication's scenario; outside work falls unevenly, differently for each seed. */
export function scenarioOf(cell: Cell, seed: number, hours: number): Scenario {
  const { workload, utilisation, pollSeconds } = cell;
  const isInteractive = workload === "interactive";
  const behaviour = isInteractive ? INTERACTIVE : ONE_JOB;
  const outside = cell.outside ?? (isInteractive ? 0.4 : 0);
  const allCores = cell.cores ?? CORES;
  const work = utilisation * allCores.reduce((sum, count) => sum + count, 0);
  const streams: Stream[] = [{ behaviour, rate: (1 - outside) * work / behaviour.meanWork }];
  if (outside > 0) {
    const chance = new Chance(seed, 900);
    streams.push({
      behaviour: OUTSIDE,
      rate: outside * work / OUTSIDE.meanWork,
      // Up to a factor of three between servers of one size, and never more than a server can bear.
      direct: allCores.map((cores) => cores * (0.5 + chance.next())),
    });
  }
  if (cell.short !== undefined && cell.short > 0) {
    const rate = (streams[0]?.rate ?? 0) * cell.short / (1 - cell.short) / SCRIPTS;
    for (let script = 0; script < SCRIPTS; script++) {
      streams.push({ behaviour: SHORT, rate, train: SCRIPT });
    }
  }
  const warmUpSeconds = (isInteractive ? 12 : 3) * HOUR;
  return {
    cores: allCores,
    streams,
    polls: pollsEvery(pollSeconds),
    balancers: cell.balancers ?? 1,
    warmUpSeconds,
    measureSeconds: (cell.classStart === true ? 0.25 : hours) * HOUR,
    ...(cell.classStart === true
      ? {
        classStart: {
          at: warmUpSeconds,
          sessions: 30,
          overSeconds: cell.classSeconds ?? 60,
          behaviour: PUPIL,
        },
      }
      : {}),
    ...(cell.churn === true
      ? {
        churn: [0, 1, 2, 3].flatMap((round) => {
          const server = 2 + round % 3;
          const at = warmUpSeconds + (round + 0.1) * hours * HOUR / 4;
          return [
            { at, server, isIn: false },
            { at: at + hours * HOUR / 10, server, isIn: true },
          ];
        }),
      }
      : {}),
  };
}
