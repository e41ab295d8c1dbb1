// The tables of logins that come faster than loads tell of them: short sessions among long ones, scripts,
// and classes of which everybody logs in at the same instant.

import type { Scenario } from "../../support/simulation/scenario.ts";
import { estimateMean } from "../../support/simulation/statistics.ts";
import {
  OURS,
  type Outcomes,
  PACED,
  PACED_LONG,
  QUEUED,
  type Row,
  ROWS,
  runScenarios,
  show,
  values,
} from "./compare.ts";
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
  /** How long logins take on an sshd that drops connections; absent: nobody is dropped. */
  readonly loginSeconds?: number;
}

/** Pacing chooses others where logins come fast; nowhere else does it matter. */
const WITH_PACED = [OURS, PACED, QUEUED, ...ROWS.filter(({ name }) => name !== OURS.name)];
const TRIAL_START_SECONDS = 900;
/** Where 22, 11 and 4 cores are free. */
const CLASSROOM = { cores: [24, 12, 4], base: [2, 1, 0], sessions: 30, behaviour: PUPIL };

function runTrial(run: Run, trial: Trial, rows: readonly Row[] = WITH_PACED): Outcomes {
  const { cores, base, sessions, overSeconds, behaviour, loginSeconds } = trial;
  const used = base.reduce((sum, threads) => sum + threads, 0);
  const total = cores.reduce((sum, count) => sum + count, 0);
  const scenario: Scenario = {
    cores,
    base,
    streams: [],
    polls: pollsEvery(2),
    balancers: 1,
    classStart: {
      at: TRIAL_START_SECONDS,
      sessions,
      overSeconds,
      behaviour,
      ...(loginSeconds === undefined ? {} : { loginSeconds }),
    },
    warmUpSeconds: TRIAL_START_SECONDS,
    measureSeconds: overSeconds + 60,
  };
  const effort = { ...run.effort, replications: 3 * run.effort.replications };
  return runScenarios({ utilisation: used / total, cores }, () => scenario, rows, effort);
}

/** Prints one trial a column: how many sessions each server got, in the mean. */
function printTrials(run: Run, trials: readonly Trial[]): Outcomes[] {
  const all = trials.map((trial) => runTrial(run, trial));
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

/** How many of a class get where they belong, and how many a stock sshd drops. */
function printSshd(run: Run): void {
  console.log(
    "\nthe same in front of sshd as it is installed (MaxStartups 10:30:100): sessions by server, " +
      "connections dropped, and how long sessions waited in the mean and at most",
  );
  const rows = [OURS, PACED, QUEUED, PACED_LONG];
  for (const loginSeconds of [1, 9]) {
    for (const sessions of [30, 60]) {
      for (const overSeconds of [0, 10, 30]) {
        const trial = { ...CLASSROOM, title: "", sessions, overSeconds, loginSeconds };
        const outcomes = runTrial(run, trial, rows);
        const name = `${sessions} ${
          overSeconds === 0 ? "at one instant" : `over ${overSeconds} s`
        }, logins of ${loginSeconds} s`;
        console.log(line([name, "by server", "misplaced", "dropped", "wait", "longest"], 20));
        for (const { name: row, label } of rows) {
          const mean = (read: Parameters<typeof values>[2]) =>
            estimateMean(values(outcomes, row, read)).mean;
          const counts = CLASSROOM.cores.map((_, server) =>
            mean(({ classSessions }) => classSessions[server] ?? 0).toFixed(1)
          );
          console.log(line([
            `  ${label}`,
            counts.join(" / "),
            mean(({ misplacedShare }) => misplacedShare).toFixed(3),
            mean(({ dropped }) => dropped).toFixed(2),
            `${mean(({ meanWait }) => meanWait).toFixed(2)} s`,
            `${Math.max(...values(outcomes, row, ({ longestWait }) => longestWait)).toFixed(2)} s`,
          ], 20));
        }
        if (loginSeconds > 1 || sessions > 30) continue;
        run.account.take(
          `instant: misplaced share of a class of 30 that waits <= ${MOST_MISPLACED}`,
          name,
          estimateMean(values(outcomes, QUEUED.name, ({ misplacedShare }) => misplacedShare)),
          MOST_MISPLACED,
        );
        const dropped = estimateMean(values(outcomes, QUEUED.name, (outcome) => outcome.dropped));
        run.account.note(
          "instant: sshd drops none of a class of 30 that waits",
          dropped.mean === 0,
          `${name}: ${show(dropped, 2)}`,
        );
      }
    }
  }
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
  const trials = [0, 2, 30, 60].map((overSeconds) => ({
    ...CLASSROOM,
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
  printSshd(run);
  printClasses(run, 0, "instant", WITH_PACED);
}
