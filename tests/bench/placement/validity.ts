// Shows that the simulator gives what theory knows exactly: chance, two choices, the central queue.

import { BASELINES } from "../../support/simulation/baselines.ts";
import { ClusterSimulation } from "../../support/simulation/cluster.ts";
import type { PlacerMaker } from "../../support/simulation/placer.ts";
import { centralQueueTime, choicesTime } from "../../support/simulation/statistics.ts";
import { exponentialSizes, oneJob } from "../../support/simulation/workload.ts";

const NO_POLLS = { intervalSeconds: Infinity, jitter: 0, delaySeconds: 0, loss: 0 };

/** Mean time of about so many jobs of mean size 1 that come as a Poisson stream. */
export function meanTime(
  cores: readonly number[],
  utilisation: number,
  make: PlacerMaker,
  jobs: number,
  seed: number,
): number {
  const rate = utilisation * cores.reduce((sum, count) => sum + count, 0);
  return new ClusterSimulation(
    {
      cores,
      streams: [{ behaviour: oneJob(exponentialSizes(1)), rate }],
      polls: NO_POLLS,
      balancers: 1,
      // An M/M/1 queue forgets by 1/e that it began empty in about 4 / (1 - utilisation)^2.
      warmUpSeconds: 16 / (1 - utilisation) ** 2,
      measureSeconds: jobs / rate,
    },
    make,
    seed,
  ).run().meanTime;
}

/**
 * Prints measured and exact mean times; `effort` multiplies the number of jobs. An M/M/1 queue is so
 * restless that chance alone moves `random` by 1 % at 0.9 and 1.5 % at 0.95 (a standard deviation, at 2).
 */
export function printValidity(effort: number): void {
  console.log("\nvalidity: mean time in units of the mean size, measured / exact");
  const servers = new Array<number>(1000).fill(1);
  const print = (name: string, measured: number, exact: number) =>
    console.log(
      `${name.padEnd(36)}${measured.toFixed(4).padStart(10)}${exact.toFixed(4).padStart(10)}${
        (100 * (measured / exact - 1)).toFixed(2).padStart(8)
      } %`,
    );
  for (const utilisation of [0.5, 0.7, 0.9, 0.95]) {
    const jobs = effort * 2e5 / (1 - utilisation);
    print(
      `random, ${utilisation}`,
      meanTime(servers, utilisation, BASELINES.random, jobs, 1),
      choicesTime(1, utilisation),
    );
    print(
      `two choices, ${utilisation}`,
      meanTime(servers, utilisation, BASELINES.two_fresh_choices, jobs, 1),
      choicesTime(2, utilisation),
    );
  }
  for (const [cores, utilisation] of [[8, 0.9], [10, 0.7], [10, 0.9], [100, 0.9]] as const) {
    print(
      `M/M/${cores}, ${utilisation}`,
      meanTime([cores], utilisation, BASELINES.random, effort * 4e6, 1),
      centralQueueTime(cores, utilisation),
    );
  }
}
