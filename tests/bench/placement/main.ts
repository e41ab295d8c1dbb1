// Prints how well strategies place sessions, in the simulator, beside the targets of the project.
//
//   deno task bench:placement [--quick] [--replications N] [--hours N] [--only SECTION[,SECTION]]
//
// Sections: validity, slowdown, outside, class, balancers, stale, churn. Nothing is asserted.

import { parseArgs } from "@std/cli/parse-args";
import { estimateMean } from "../../../lib/core/simulation/statistics.ts";
import {
  type Effort,
  excess,
  notBeaten,
  OURS,
  type Outcomes,
  ratio,
  ROWS,
  runCell,
  show,
  values,
} from "./compare.ts";
import { type Cell, EQUAL_CORES, type WorkloadName } from "./scenarios.ts";
import { printValidity } from "./validity.ts";

const POLLS = [10, 15, 30, 60] as const;
const UTILISATIONS = [0.5, 0.7, 0.85, 0.95] as const;

/** What the project asks for: at most these multiples of the oracle's and of the ancestor's excess. */
const TARGETS: Readonly<
  Record<WorkloadName, { oracle: number; ancestor: (poll: number) => number }>
> = {
  one_job: { oracle: 1.25, ancestor: (poll) => poll <= 15 ? 0.5 : 0.4 },
  interactive: { oracle: 1, ancestor: () => 0.75 },
};

/** An excess below this is too small to be told from none: a ratio of two such says nothing. */
const NOTHING = 0.001;

function line(cells: readonly string[], width = 17): string {
  const [first = "", ...rest] = cells;
  return first.padEnd(36) + rest.map((cell) => cell.padStart(width)).join("");
}

function mark(met: boolean): string {
  return met ? "met" : "NOT MET";
}

/** One table: strategies down, poll intervals across; then the targets. */
function printSlowdowns(base: Omit<Cell, "pollSeconds">, effort: Effort): void {
  const { workload, utilisation } = base;
  const outside = base.outside ?? (workload === "interactive" ? 0.4 : 0);
  console.log(
    `\n${workload}, utilisation ${utilisation}, ${100 * outside} % of the work from outside: ` +
      "excess mean slowdown by poll interval",
  );
  console.log(line(["", ...POLLS.map((poll) => `${poll} s`)]));
  const byPoll: Outcomes[] = [];
  for (const pollSeconds of POLLS) {
    byPoll.push(runCell({ ...base, pollSeconds }, ROWS, effort, byPoll[0]));
  }
  for (const { name, label } of ROWS) {
    console.log(
      line([
        label,
        ...byPoll.map((outcomes) => show(estimateMean(values(outcomes, name, excess)))),
      ]),
    );
  }
  const target = TARGETS[workload];
  const compare = (
    label: string,
    other: string,
    most?: (poll: number) => number,
    row = OURS.name,
  ) => {
    const cells = byPoll.map((outcomes, index) => {
      const estimate = ratio(outcomes, row, other);
      const [ours = 0, theirs = 0] = [row, other].map((name) =>
        estimateMean(values(outcomes, name, excess)).mean
      );
      if (Math.max(ours, theirs) < NOTHING) return "both nil";
      const text = show(estimate, 2);
      return most === undefined
        ? text
        : `${text} ${mark(estimate.mean <= most(POLLS[index] ?? 0))}`;
    });
    console.log(line([label, ...cells], 21));
  };
  compare(`ours / oracle (target ${target.oracle})`, "oracle", () => target.oracle);
  const asked = POLLS.map(target.ancestor).join(", ");
  compare(`ours / ancestor (${asked})`, "cores_minus_load", target.ancestor);
  compare("ours / polls that do not lag", "polls_without_lag");
  compare("prophet / ancestor", "cores_minus_load", undefined, "prophet");
  byPoll.forEach((outcomes, index) => {
    const others = notBeaten(outcomes, ROWS);
    if (others.length > 0) console.log(`  at ${POLLS[index]} s not clearly better than: ${others}`);
  });
}

function printClassStarts(effort: Effort): void {
  console.log(
    "\nclass start, 30 logins in 60 s among long sessions: herd index, avoidable overload in the " +
      "next 15 min, excess slowdown",
  );
  const many: Effort = { ...effort, replications: 2 * effort.replications };
  for (const utilisation of [0.3, 0.5, 0.7]) {
    for (const pollSeconds of [10, 30]) {
      const cell: Cell = { workload: "interactive", utilisation, pollSeconds, classStart: true };
      const outcomes = runCell(cell, ROWS, many);
      console.log(`\nutilisation ${utilisation} before it, polls every ${pollSeconds} s`);
      console.log(line(["", "herd index", "overload", "overload/oracle", "excess slowdown"], 18));
      for (const { name, label } of ROWS) {
        const share = estimateMean(values(outcomes, name, (o) => o.largestShare)).mean;
        const fair = estimateMean(values(outcomes, name, (o) => o.fairShare)).mean;
        console.log(line([
          label,
          (share / fair).toFixed(2),
          show(estimateMean(values(outcomes, name, (o) => o.avoidableOverload)), 3),
          show(ratio(outcomes, name, "oracle", (o) => o.avoidableOverload), 2),
          show(estimateMean(values(outcomes, name, excess))),
        ], 18));
      }
    }
  }
  console.log("targets: herd index <= 1.3, overload/oracle <= 1.2");
}

function printBalancers(effort: Effort): void {
  console.log("\nfour independent balancers over one pool: mean slowdown of four / of one");
  const compared = ROWS.filter(({ name }) =>
    [OURS.name, "cores_minus_load", "leastconn_weighted", "agent_leastconn"].includes(name)
  );
  for (const workload of ["one_job", "interactive"] as const) {
    for (const utilisation of UTILISATIONS) {
      for (const pollSeconds of [10, 30]) {
        const cell: Cell = { workload, utilisation, pollSeconds };
        const one = runCell(cell, compared, effort);
        const four = runCell({ ...cell, balancers: 4 }, compared, effort);
        const cells = compared.map(({ name }) => {
          const alone = estimateMean(values(one, name, (o) => o.meanSlowdown)).mean;
          const together = estimateMean(values(four, name, (o) => o.meanSlowdown)).mean;
          return `${name} ${(together / alone).toFixed(3)} (${(alone - 1).toFixed(4)} > ${
            (together - 1).toFixed(4)
          })`;
        });
        console.log(`${workload} ${utilisation} ${pollSeconds} s: ${cells.join(", ")}`);
      }
    }
  }
  console.log("target: ours <= 1.10");
}

function printStale(effort: Effort): void {
  console.log(
    "\nstale data, eight equal servers (random is at its best there): excess slowdown / random's",
  );
  const rows = ROWS.filter(({ name }) =>
    [OURS.name, "cores_minus_load", "agent_round_robin", "two_choices", "random", "round_robin"]
      .includes(name)
  );
  for (const workload of ["one_job", "interactive"] as const) {
    console.log(line([workload, ...rows.map(({ name }) => name)], 20));
    for (const pollSeconds of [60, 180, 600, 1800, 7200, Infinity]) {
      const cell: Cell = { workload, utilisation: 0.7, pollSeconds, cores: EQUAL_CORES };
      const outcomes = runCell(cell, rows, effort);
      console.log(line([
        `  poll every ${pollSeconds} s`,
        ...rows.map(({ name }) => show(ratio(outcomes, name, "random"), 2)),
      ], 20));
    }
  }
  console.log("target: ours <= 1.05 at any age");
}

function printChurn(effort: Effort): void {
  console.log("\nservers leave (their sessions go on) and come back, utilisation 0.7, 10 s");
  for (const workload of ["one_job", "interactive"] as const) {
    const outcomes = runCell(
      { workload, utilisation: 0.7, pollSeconds: 10, churn: true },
      ROWS,
      effort,
    );
    for (const { name, label } of ROWS) {
      console.log(
        line([`${workload} ${label}`, show(estimateMean(values(outcomes, name, excess)))]),
      );
    }
  }
}

function main(): void {
  const args = parseArgs(Deno.args, {
    boolean: ["quick"],
    string: ["only", "replications", "hours"],
  });
  const effort: Effort = {
    replications: Number(args["replications"] ?? (args["quick"] === true ? 6 : 20)),
    hours: Number(args["hours"] ?? (args["quick"] === true ? 8 : 24)),
  };
  const only = String(args["only"] ?? "").split(",").filter((section) => section !== "");
  const wanted = (section: string) => only.length === 0 || only.includes(section);
  console.log(
    `seeds 1 to ${effort.replications}, ${effort.hours} simulated hours each, 95 % intervals`,
  );
  if (wanted("validity")) printValidity(args["quick"] === true ? 1 : 2);
  for (const workload of ["one_job", "interactive"] as const) {
    for (const utilisation of UTILISATIONS) {
      if (wanted("slowdown")) printSlowdowns({ workload, utilisation }, effort);
    }
  }
  for (const utilisation of [0.7, 0.85]) {
    for (const outside of [0, 0.2]) {
      if (wanted("outside")) {
        printSlowdowns({ workload: "interactive", utilisation, outside }, effort);
      }
    }
  }
  if (wanted("class")) printClassStarts(effort);
  if (wanted("balancers")) printBalancers(effort);
  if (wanted("stale")) printStale(effort);
  if (wanted("churn")) printChurn(effort);
}

if (import.meta.main) main();
