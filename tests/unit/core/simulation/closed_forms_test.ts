// Whether the simulator can be believed: what theory knows exactly, it must reproduce within 2 %.

import { assert } from "@std/assert";
import { BASELINES } from "../../../../lib/core/simulation/baselines.ts";
import { ClusterSimulation, type Scenario } from "../../../../lib/core/simulation/cluster.ts";
import type { PlacerMaker } from "../../../../lib/core/simulation/placer.ts";
import { centralQueueTime, choicesTime } from "../../../../lib/core/simulation/statistics.ts";
import { exponentialSizes, oneJob } from "../../../../lib/core/simulation/workload.ts";

const SEED = 20_260_701;
const NO_POLLS = { intervalSeconds: Infinity, jitter: 0, delaySeconds: 0, loss: 0 };

function meanTime(
  cores: readonly number[],
  utilisation: number,
  maker: PlacerMaker,
  jobs: number,
): number {
  const rate = utilisation * cores.reduce((sum, count) => sum + count, 0);
  const scenario: Scenario = {
    cores,
    streams: [{ behaviour: oneJob(exponentialSizes(1)), rate }],
    polls: NO_POLLS,
    balancers: 1,
    warmUpSeconds: 20 / (1 - utilisation),
    measureSeconds: jobs / rate,
  };
  return new ClusterSimulation(scenario, maker, SEED).run().meanTime;
}

function assertWithin(name: string, measured: number, exact: number, share: number): void {
  const off = measured / exact - 1;
  assert(
    Math.abs(off) <= share,
    `${name}: ${measured.toFixed(4)}, exactly ${exact.toFixed(4)}, off by ${
      (100 * off).toFixed(2)
    } % (seed ${SEED})`,
  );
}

const MANY = new Array<number>(500).fill(1);

Deno.test("placing by chance takes as long as an M/M/1 queue", () => {
  for (const [utilisation, jobs] of [[0.5, 3e5], [0.7, 6e5], [0.9, 2.5e6]] as const) {
    const measured = meanTime(MANY, utilisation, BASELINES.random, jobs);
    assertWithin(`random at ${utilisation}`, measured, choicesTime(1, utilisation), 0.02);
  }
});

Deno.test("two choices take as long as Mitzenmacher's sum says", () => {
  for (const [utilisation, jobs] of [[0.5, 3e5], [0.7, 3e5], [0.9, 1e6]] as const) {
    const measured = meanTime(MANY, utilisation, BASELINES.two_fresh_choices, jobs);
    assertWithin(`two choices at ${utilisation}`, measured, choicesTime(2, utilisation), 0.02);
  }
});

Deno.test("one server of n cores is the central queue M/M/n", () => {
  for (
    const [cores, utilisation, jobs] of [[10, 0.7, 4e5], [8, 0.9, 8e6], [100, 0.9, 1e6]] as const
  ) {
    const measured = meanTime([cores], utilisation, BASELINES.random, jobs);
    assertWithin(
      `M/M/${cores} at ${utilisation}`,
      measured,
      centralQueueTime(cores, utilisation),
      0.02,
    );
  }
});
