// What the simulation must show whatever the numbers: it repeats itself, it counts right, and the
// program's placement keeps its promises in it.

import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { BASELINES } from "../../../support/simulation/baselines.ts";
import { ClusterSimulation, type Outcome } from "../../../support/simulation/cluster.ts";
import { leastLoad } from "../../../support/simulation/own_placers.ts";
import type { PlacerMaker } from "../../../support/simulation/placer.ts";
import { estimateMean } from "../../../support/simulation/statistics.ts";
import type { ClassStart, Scenario } from "../../../support/simulation/scenario.ts";
import {
  type Cell,
  EQUAL_CORES,
  pollsEvery,
  PUPIL,
  scenarioOf,
  SHORT,
} from "../../../bench/placement/scenarios.ts";

const SEEDS = [1, 2, 3, 4, 5, 6];

function run(cell: Cell, make: PlacerMaker, hours = 6): Outcome[] {
  return SEEDS.map((seed) =>
    new ClusterSimulation(scenarioOf(cell, seed, hours), make, seed).run()
  );
}

function meanOf(outcomes: readonly Outcome[], read: (outcome: Outcome) => number): number {
  return estimateMean(outcomes.map(read)).mean;
}

const excess = (outcome: Outcome) => outcome.meanSlowdown - 1;

Deno.test("a run repeats itself to the last digit, and another seed differs", () => {
  const cell: Cell = { workload: "interactive", utilisation: 0.7, pollSeconds: 10 };
  const once = (seed: number) =>
    new ClusterSimulation(scenarioOf(cell, seed, 2), leastLoad(), seed).run();
  assertEquals(once(3), once(3));
  assert(once(3).meanSlowdown !== once(4).meanSlowdown);
});

Deno.test("the work that comes is the utilisation that was asked for", () => {
  for (const workload of ["one_job", "interactive"] as const) {
    const outcomes = run({ workload, utilisation: 0.5, pollSeconds: 10 }, BASELINES.oracle, 24);
    assertAlmostEquals(meanOf(outcomes, (outcome) => outcome.utilisation), 0.5, 0.06);
  }
});

Deno.test("every strategy meets the same sessions", () => {
  const cell: Cell = { workload: "one_job", utilisation: 0.3, pollSeconds: 10 };
  const one = run(cell, BASELINES.oracle, 2);
  const other = run(cell, BASELINES.leastconn_weighted, 2);
  // Jobs that end near the end of the run may fall to either side of it.
  one.forEach(({ jobs }, index) => assert(Math.abs(jobs - (other[index]?.jobs ?? 0)) <= 3));
});

Deno.test("least_load is near the oracle and far from the ancestor, one job a session", () => {
  const cell: Cell = { workload: "one_job", utilisation: 0.85, pollSeconds: 10 };
  const ours = meanOf(run(cell, leastLoad()), excess);
  const oracle = meanOf(run(cell, BASELINES.oracle), excess);
  const ancestor = meanOf(run(cell, BASELINES.cores_minus_load), excess);
  assert(ours <= 1.25 * oracle, `${ours} against the oracle's ${oracle}`);
  assert(ours <= 0.5 * ancestor, `${ours} against the ancestor's ${ancestor}`);
});

/** Mean excess slowdown without and with pressure told, on the same sessions. */
function withPressure(cell: Cell, diskTasks: readonly number[]): [number, number] {
  const [without = NaN, told = NaN] = [false, true].map((readsPressure) =>
    meanOf(
      SEEDS.map((seed) => {
        const scenario = { ...scenarioOf(cell, seed, 8), diskTasks };
        return new ClusterSimulation(scenario, leastLoad({ readsPressure }), seed).run();
      }),
      excess,
    )
  );
  return [without, told];
}

Deno.test("pressure changes nothing for the worse where nobody waits for a disk", () => {
  for (const workload of ["one_job", "interactive"] as const) {
    for (const pollSeconds of [10, 15]) {
      const [without, told] = withPressure({ workload, utilisation: 0.85, pollSeconds }, []);
      // Another choice here and there, good or bad by chance.
      assert(told <= 1.06 * without, `${workload}, ${pollSeconds} s: ${told}, without ${without}`);
    }
  }
});

Deno.test("pressure gives servers back whose load is tasks that wait for a disk", () => {
  for (const workload of ["one_job", "interactive"] as const) {
    const cell: Cell = { workload, utilisation: 0.85, pollSeconds: 10 };
    const [without, told] = withPressure(cell, [0, 0, 12, 0, 0, 24, 0, 0]);
    assert(told <= 0.6 * without, `${workload}: ${told}, without ${without}`);
  }
});

Deno.test("least_load spreads a class over what is free", () => {
  const cell: Cell = {
    workload: "interactive",
    utilisation: 0.5,
    pollSeconds: 10,
    classStart: true,
  };
  const herd = (make: PlacerMaker) => {
    const outcomes = run(cell, make);
    return meanOf(outcomes, (outcome) => outcome.largestShare) /
      meanOf(outcomes, (outcome) => outcome.fairShare);
  };
  const ours = herd(leastLoad());
  const ancestor = herd(BASELINES.cores_minus_load);
  assert(ours <= 1.3, `herd index ${ours}`);
  assert(ancestor > 2, `the ancestor's herd index ${ancestor}`);
});

/** Logins on three quiet servers, by seed. */
function outcomesOnThree(
  make: PlacerMaker,
  cores: readonly number[],
  base: readonly number[],
  logins: Omit<ClassStart, "at">,
): Outcome[] {
  return SEEDS.map((seed) => {
    const scenario: Scenario = {
      cores,
      base,
      streams: [],
      polls: pollsEvery(2),
      balancers: 1,
      classStart: { at: 600, ...logins },
      warmUpSeconds: 600,
      measureSeconds: 120,
    };
    return new ClusterSimulation(scenario, make, seed).run();
  });
}

/** How many sessions each server got. */
function loginsOnThree(...args: Parameters<typeof outcomesOnThree>): (readonly number[])[] {
  return outcomesOnThree(...args).map(({ classSessions }) => classSessions);
}

Deno.test("least_load deals a class out by what is free, at one instant as within half a minute", () => {
  const fair = [22, 11, 4].map((free) => 30 * free / 37);
  for (const overSeconds of [0, 2, 30]) {
    const logins = { sessions: 30, overSeconds, behaviour: PUPIL };
    for (const got of loginsOnThree(leastLoad(), [24, 12, 4], [2, 1, 0], logins)) {
      // Within 15 %, and one for what is no whole number.
      fair.forEach((due, server) => {
        const off = Math.abs((got[server] ?? NaN) - due);
        assert(off <= 0.15 * due + 1, `${got} in ${overSeconds} s, fair ${fair}`);
      });
    }
  }
});

Deno.test("a script's short sessions go where cores are free, paced or not", () => {
  const logins = { sessions: 40, overSeconds: 12, behaviour: SHORT };
  for (const paceSessions of [0, 8]) {
    const all = loginsOnThree(leastLoad({ paceSessions }), [16, 8, 4], [0, 7, 3], logins);
    const first = estimateMean(all.map((sessions) => sessions[0] ?? NaN)).mean;
    assert(first >= 0.95 * 40, `${first} of 40, paced ${paceSessions}`);
  }
});

Deno.test("short sessions among long ones cost least_load no more than what it cannot know", () => {
  const cell: Cell = { workload: "one_job", utilisation: 0.85, pollSeconds: 10, short: 0.5 };
  const ours = meanOf(run(cell, leastLoad(), 3), excess);
  // Sees every thread at each poll, and counts one for whoever has come since: nobody knows who idles.
  const counting = meanOf(run(cell, BASELINES.polls_without_lag, 3), excess);
  assert(ours <= 1.25 * counting, `${ours} against ${counting}`);
});

Deno.test("pacing spreads a class of one instant before what is free does", () => {
  const logins = { sessions: 30, overSeconds: 0, behaviour: PUPIL };
  const make = leastLoad({ paceSessions: 8 });
  for (const got of loginsOnThree(make, [24, 12, 4], [2, 1, 0], logins)) {
    assertEquals(got, [10, 10, 10]);
  }
});

Deno.test("a class that waits lands where it belongs, though sshd takes ten at a time", () => {
  const logins = { sessions: 30, overSeconds: 0, behaviour: PUPIL, loginSeconds: 1 };
  const run = (queueSeconds: number, loginSeconds: number) =>
    outcomesOnThree(
      leastLoad({ paceSessions: 6, paceSeconds: 1.25, queueSeconds }),
      [24, 12, 4],
      [2, 1, 0],
      { ...logins, loginSeconds },
    );
  for (const { classSessions, dropped, longestWait } of run(3, 1)) {
    assertEquals(classSessions.reduce((sum, count) => sum + count, 0), 30);
    for (const [server, due] of [17.8, 8.9, 3.2].entries()) {
      const off = Math.abs((classSessions[server] ?? NaN) - due);
      assert(off <= 0.15 * due + 1, `${classSessions}`);
    }
    assertEquals(dropped, 0);
    assert(longestWait <= 3.01, `${longestWait} s`);
  }
  for (const { classSessions, dropped, longestWait } of run(0, 1)) {
    assertEquals([classSessions, dropped, longestWait], [[10, 10, 10], 0, 0]);
  }
  // Who logs in as slowly as people type is more than sshd takes: for them pace.within is longer.
  assert(estimateMean(run(3, 9).map(({ dropped }) => dropped)).mean > 1);
});

Deno.test("without any sample for hours least_load is no worse than chance", () => {
  const cell: Cell = {
    workload: "one_job",
    utilisation: 0.7,
    pollSeconds: 7200,
    cores: EQUAL_CORES,
  };
  const ours = meanOf(run(cell, leastLoad()), excess);
  const chance = meanOf(run(cell, BASELINES.random), excess);
  assert(ours <= 1.05 * chance, `${ours} against ${chance}`);
});

Deno.test("a server that is out gets no session", () => {
  for (const make of [leastLoad(), BASELINES.cores_minus_load, BASELINES.random]) {
    const scenario = {
      ...scenarioOf({ workload: "one_job", utilisation: 0.2, pollSeconds: 10 }, 1, 1),
      churn: [{ at: 1e9, server: 7, isIn: true }, { at: 0, server: 6, isIn: false }],
    };
    const placed = scenario.cores.map(() => 0);
    new ClusterSimulation(scenario, (context) => {
      const placer = make(context);
      return {
        place: (now, client, patience) => {
          const server = placer.place(now, client, patience);
          placed[server] = (placed[server] ?? 0) + 1;
          return server;
        },
        ended: (server, now, placedAt) => placer.ended(server, now, placedAt),
        sampled: (server, load1, now, cpuPressure) =>
          placer.sampled(server, load1, now, cpuPressure),
        admitted: (server, isIn, now) => placer.admitted(server, isIn, now),
      };
    }, 1).run();
    assertEquals([placed[6], placed[7]], [0, 0]);
    assert((placed[5] ?? 0) > 0);
  }
});

Deno.test("threads that always run show in the first samples and go on to the end", () => {
  const base = [1, 0, 7];
  const samples: number[][] = base.map(() => []);
  const outcome = new ClusterSimulation(
    {
      cores: [4, 8, 12],
      base,
      streams: [],
      polls: { intervalSeconds: 10, jitter: 0, delaySeconds: 0, loss: 0 },
      balancers: 1,
      warmUpSeconds: 0,
      measureSeconds: 600,
    },
    () => ({
      place: () => -1,
      ended: () => {},
      sampled: (server, load1) => samples[server]?.push(load1),
      admitted: () => {},
    }),
    1,
  ).run();
  samples.forEach((loads, server) => {
    assertEquals(loads.length, 60);
    assertEquals(new Set(loads), new Set([base[server] ?? NaN]));
  });
  assertAlmostEquals(outcome.utilisation, 8 / 24, 1e-9);
});
