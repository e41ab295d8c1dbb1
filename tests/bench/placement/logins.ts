// The tables of logins that come faster than loads tell of them: short sessions among long ones, scripts,
// and classes of which everybody logs in at the same instant.

import type { Scenario } from "../../support/simulation/scenario.ts";
import { estimateMean } from "../../support/simulation/statistics.ts";
import { OURS, type Outcomes, PACED, ROWS, runScenarios, show, values } from "./compare.ts";
import { pollsEvery, PUPIL, SHORT } from "./scenarios.ts";
import { line, printClasses, printSlowdown, type Run, WORKLOADS } from "./sections.ts";
import { LEAST_TO_FIRST, MOST_MISPLACED } from "./targets.ts";

/** Three unequal servers with work that does not end, and logins that come while nothing else does. */
interface Trial {
  readonly title: string;
  readonly cores: readonly number[];
  readonly base: readonly number[];
  readonly sessions: number;
  readonly overSeconds: number;
  readonly behaviour: Scenario["streams"][number]["behaviour"];
}

/** Pacing chooses others where logins come fast; nowhere else does it matter. */
const WITH_PACED = [OURS, PACED, ...ROWS.filter(({ name }) => name !== OURS.name)];
const TRIAL_START_SECONDS = 900;

function runTrial({ run, trial }: { readonly run: Run; readonly trial: Trial }): Outcomes {
  const { cores, base, sessions, overSeconds, behaviour } = trial;
  const used = base.reduce((sum, threads) => sum + threads, 0);
  const total = cores.reduce((sum, count) => sum + count, 0);
  const scenario: Scenario = {
    cores,
    base,
    streams: [],
    polls: pollsEvery(2),
    balancers: 1,
    classStart: { at: TRIAL_START_SECONDS, sessions, overSeconds, behaviour },
    warmUpSeconds: TRIAL_START_SECONDS,
    measureSeconds: overSeconds + 60,
  };
  const effort = { ...run.effort, replications: 3 * run.effort.replications };
  return runScenarios({ utilisation: used / total, cores }, () => scenario, WITH_PACED, effort);
}

/** Prints one trial a column: how many sessions each server got, in the mean. */
function printTrials(run: Run, trials: readonly Trial[]): Outcomes[] {
  const all = trials.map((trial) => runTrial({ run, trial }));
  console.log(line(["", ...trials.map(({ title }) => title)], 26));
  for (const { name, label } of WITH_PACED) {
    const cells = all.map((outcomes, index) =>
      (trials[index]?.cores ?? []).map((_, server) => {
        const sessions = values(outcomes, name, ({ classSessions }) => classSessions[server] ?? 0);
        return estimateMean(sessions).mean.toFixed(1);
      }).join(" / ")
    );
    console.log(line([label, ...cells], 26));
  }
  return all;
}

const SHARES = [0, 0.1, 0.3, 0.5, 0.7, 0.9] as const;

export function printShort(run: Run): void {
  console.log(
    "\na script: 40 sessions in 12 s, each over in half a second, where 16, 1 and 1 cores are free: " +
      "sessions by server",
  );
  const [outcomes = new Map()] = printTrials(run, [{
    title: "16 / 1 / 1 free",
    cores: [16, 8, 4],
    base: [0, 7, 3],
    sessions: 40,
    overSeconds: 12,
    behaviour: SHORT,
  }]);
  const first = estimateMean(
    values(outcomes, OURS.name, ({ classSessions }) => (classSessions[0] ?? 0) / 40),
  );
  run.account.note(
    `short: a script's sessions to the server that is free >= ${LEAST_TO_FIRST}`,
    first.mean >= LEAST_TO_FIRST,
    `three servers: ${show(first, 3)}`,
  );
  for (const workload of WORKLOADS) {
    for (const utilisation of [0.5, 0.7, 0.85]) {
      printSlowdown(run, {
        name:
          `${workload}, utilisation ${utilisation}, polls every 10 s, short sessions among long ones`,
        across: "the share of short sessions",
        section: "short: ",
        cells: SHARES.map((short) => ({ workload, utilisation, pollSeconds: 10, short })),
        headOf: ({ short = 0 }) => `${100 * short} %`,
      });
    }
  }
}

export function printInstant(run: Run): void {
  console.log(
    "\n30 logins of a class where 22, 11 and 4 cores are free (fair: 17.8 / 8.9 / 3.2): sessions by server",
  );
  const three = { cores: [24, 12, 4], base: [2, 1, 0], sessions: 30, behaviour: PUPIL };
  const trials = [0, 2, 30, 60].map((overSeconds) => ({
    ...three,
    title: overSeconds === 0 ? "at one instant" : `over ${overSeconds} s`,
    overSeconds,
  }));
  const all = printTrials(run, trials);
  all.forEach((outcomes, index) => {
    const misplaced = values(outcomes, OURS.name, (outcome) => outcome.misplacedShare);
    run.account.take(
      `instant: misplaced share of a class on three servers <= ${MOST_MISPLACED}`,
      trials[index]?.title ?? "",
      estimateMean(misplaced),
      MOST_MISPLACED,
    );
  });
  printClasses(run, 0, "instant", WITH_PACED);
}
