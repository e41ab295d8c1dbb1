// Whether the simulator can be believed: what theory knows exactly, it must reproduce within 2 %.

import { assert } from "@std/assert";
import { BASELINES } from "../../../support/simulation/baselines.ts";
import { centralQueueTime, choicesTime } from "../../../support/simulation/statistics.ts";
import { meanTime } from "../../../bench/placement/validity.ts";

const SEED = 20_260_701;
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
    const measured = meanTime(MANY, utilisation, BASELINES.random, jobs, SEED);
    assertWithin(`random at ${utilisation}`, measured, choicesTime(1, utilisation), 0.02);
  }
});

Deno.test("two choices take as long as Mitzenmacher's sum says", () => {
  for (const [utilisation, jobs] of [[0.5, 3e5], [0.7, 3e5], [0.9, 1e6]] as const) {
    const measured = meanTime(MANY, utilisation, BASELINES.two_fresh_choices, jobs, SEED);
    assertWithin(`two choices at ${utilisation}`, measured, choicesTime(2, utilisation), 0.02);
  }
});

Deno.test("one server of n cores is the central queue M/M/n", () => {
  for (
    const [cores, utilisation, jobs] of [[10, 0.7, 4e5], [8, 0.9, 8e6], [100, 0.9, 1e6]] as const
  ) {
    const measured = meanTime([cores], utilisation, BASELINES.random, jobs, SEED);
    assertWithin(
      `M/M/${cores} at ${utilisation}`,
      measured,
      centralQueueTime(cores, utilisation),
      0.02,
    );
  }
});
