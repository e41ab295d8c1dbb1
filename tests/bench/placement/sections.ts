// The tables of the benchmark, one function for each section of the command line.

import { estimateMean, estimateRatio } from "../../support/simulation/statistics.ts";
import {
  type Effort,
  excess,
  OURS,
  type Outcomes,
  ratio,
  rivals,
  type Row,
  ROWS,
  runCell,
  show,
  values,
} from "./compare.ts";
import { type Cell, equalCores } from "./scenarios.ts";
import {
  type Account,
  MOST_HERD,
  MOST_OF_FOUR,
  MOST_OVERLOAD,
  MOST_SHORT,
  MOST_STALE,
  SLOWDOWN_TARGETS,
} from "./targets.ts";

export interface Run {
  readonly effort: Effort;
  /** Cores by server. */
  readonly cores: readonly number[];
  readonly account: Account;
}

const POLLS = [10, 15, 30, 60] as const;
const UTILISATIONS = [0.5, 0.7, 0.85, 0.95] as const;
export const WORKLOADS = ["one_job", "interactive"] as const;

/** An excess below this is too small to be told from none: a ratio of two such says nothing. */
const NOTHING = 0.001;

export function line(cells: readonly string[], width = 18): string {
  const [first = "", ...rest] = cells;
  return first.padEnd(36) + rest.map((cell) => cell.padStart(width)).join("");
}

export function printSlowdowns(run: Run): void {
  for (const workload of WORKLOADS) {
    for (const utilisation of UTILISATIONS) printByPoll(run, { workload, utilisation });
  }
}

/** Interactive sessions with less work from outside than the other tables have. */
export function printOutside(run: Run): void {
  for (const utilisation of [0.7, 0.85]) {
    for (const outside of [0, 0.2]) {
      printByPoll(run, { workload: "interactive", utilisation, outside });
    }
  }
}

type Base = Pick<Cell, "workload" | "utilisation" | "outside">;

function printByPoll(run: Run, base: Base): void {
  const { workload, utilisation } = base;
  const outside = base.outside ?? (workload === "interactive" ? 0.4 : 0);
  printSlowdown(run, {
    name: `${workload}, utilisation ${utilisation}, ${100 * outside} % of the work from outside`,
    across: "poll interval",
    section: "",
    cells: POLLS.map((pollSeconds) => ({ ...base, pollSeconds })),
    headOf: ({ pollSeconds }) => `${pollSeconds} s`,
  });
}

export interface SlowdownTable {
  readonly name: string;
  /** What the columns differ in. */
  readonly across: string;
  /** What its targets begin with. */
  readonly section: string;
  /** One a column, of one workload. */
  readonly cells: readonly Cell[];
  readonly headOf: (cell: Cell) => string;
}

/** One table: strategies down, cells across; then the targets. */
export function printSlowdown({ effort, cores, account }: Run, table: SlowdownTable): void {
  const { name, across, section, cells, headOf } = table;
  console.log(`\n${name}: excess mean slowdown by ${across}`);
  console.log(line(["", ...cells.map(headOf)]));
  const all: Outcomes[] = [];
  for (const cell of cells) {
    // Those to whom polls tell nothing need not run again where nothing else is different.
    const known = cell.short === undefined ? all[0] : undefined;
    all.push(runCell({ ...cell, cores }, ROWS, effort, known));
  }
  for (const { name: row, label } of ROWS) {
    const means = all.map((outcomes) => show(estimateMean(values(outcomes, row, excess))));
    console.log(line([label, ...means]));
  }
  const compare = (
    label: string,
    row: string,
    other: string,
    asked?: { readonly target: string; readonly most: (cell: Cell) => number },
  ) => {
    const texts = cells.map((cell, index) => {
      const outcomes = all[index] ?? new Map();
      const means = [row, other].map((each) => estimateMean(values(outcomes, each, excess)).mean);
      if (Math.max(...means) < NOTHING) return "both nil";
      const estimate = ratio(outcomes, row, other);
      const text = show(estimate, 2);
      if (asked === undefined) return text;
      const where = `${name}, ${headOf(cell)}`;
      const most = asked.most(cell);
      const bounds = describeBounds(outcomes, other, most);
      return `${text} ${account.take(asked.target, where, estimate, most, bounds)}`;
    });
    console.log(line([label, ...texts], 22));
  };
  const workload = cells[0]?.workload ?? "one_job";
  const { oracle, ancestor } = SLOWDOWN_TARGETS[workload];
  compare(`ours / oracle (${oracle})`, OURS.name, "oracle", {
    target: `${section}${workload}: excess / oracle's <= ${oracle}`,
    most: () => oracle,
  });
  if (section === "") {
    const asked = cells.map(({ pollSeconds }) => ancestor(pollSeconds)).join(", ");
    compare(`ours / ancestor (${asked})`, OURS.name, "cores_minus_load", {
      target: `${workload}: excess / ancestor's <= ${asked} at ${cells.map(headOf).join(", ")}`,
      most: ({ pollSeconds }) => ancestor(pollSeconds),
    });
    compare("ours / polls that do not lag", OURS.name, "polls_without_lag");
  } else {
    compare("ours / ancestor", OURS.name, "cores_minus_load");
    // The oracle knows of a session that has just come that it does nothing; these polls count it, too.
    compare(`ours / polls that do not lag (${MOST_SHORT})`, OURS.name, "polls_without_lag", {
      target: `${section}${workload}: excess / that of polls that do not lag <= ${MOST_SHORT}`,
      most: () => MOST_SHORT,
    });
  }
  compare("oracle / ancestor", "oracle", "cores_minus_load");
  compare("clairvoyant / ancestor", "clairvoyant", "cores_minus_load");
  cells.forEach((cell, index) => {
    const head = headOf(cell);
    for (const { name: rival, excess: theirs, difference } of rivals(all[index] ?? new Map())) {
      const isBetter = difference.mean + difference.halfWidth < 0;
      const isNil = theirs < NOTHING;
      const text = `${rival}: ours less theirs ${show(difference, 5)}`;
      const target = `${section}better than every rule, or both nil`;
      account.note(target, isBetter || isNil, `${name}, ${head}: ${text}`);
      const nil = isNil ? " (both nil)" : "";
      if (!isBetter) console.log(`  at ${head} not clearly better than ${text}${nil}`);
    }
  });
}

/** What those get who know more than a program can, as multiples of another's excess, and who meets it. */
function describeBounds(outcomes: Outcomes, other: string, most: number): string {
  const bounds = ROWS.filter(({ isBound, name }) => isBound === true && name !== other)
    .map(({ name }) => ({ name, value: ratio(outcomes, name, other).mean }));
  const meet = bounds.filter(({ value }) => value <= most).map(({ name }) => name);
  const figures = bounds.map(({ name, value }) => `${name} ${value.toFixed(2)}`).join(", ");
  return `${figures}; met by ${meet.length === 0 ? "none of these" : meet.join(", ")}`;
}

export function printClassStarts(run: Run): void {
  printClasses(run, 60, "class", ROWS);
}

/** One table for each utilisation and poll interval: how a class of 30 is spread. */
export function printClasses(
  { effort, cores, account }: Run,
  classSeconds: number,
  section: string,
  rows: readonly Row[],
): void {
  console.log(
    `\n${section} start, 30 logins ${
      classSeconds === 0 ? "at one instant" : `in ${classSeconds} s`
    } among long sessions: herd index, avoidable overload in the next 15 min, excess slowdown`,
  );
  const many: Effort = { ...effort, replications: 3 * effort.replications };
  for (const utilisation of [0.3, 0.5, 0.7]) {
    for (const pollSeconds of [10, 30, 60]) {
      const cell: Cell = {
        workload: "interactive",
        utilisation,
        pollSeconds,
        cores,
        classStart: true,
        classSeconds,
      };
      const outcomes = runCell(cell, rows, many);
      const name = `utilisation ${utilisation} before it, polls every ${pollSeconds} s`;
      console.log(`\n${name}`);
      console.log(
        line(["", "herd index", "overload", "overload/oracle", "excess slowdown", "misplaced"], 20),
      );
      const herd = (row: string) =>
        estimateRatio(
          values(outcomes, row, (outcome) => outcome.largestShare),
          values(outcomes, row, (outcome) => outcome.fairShare),
        );
      const overload = (row: string) =>
        ratio(outcomes, row, "oracle", (outcome) => outcome.avoidableOverload);
      for (const { name: row, label } of rows) {
        console.log(line([
          label,
          show(herd(row), 2),
          show(estimateMean(values(outcomes, row, (outcome) => outcome.avoidableOverload)), 4),
          show(overload(row), 2),
          show(estimateMean(values(outcomes, row, excess))),
          show(estimateMean(values(outcomes, row, (outcome) => outcome.misplacedShare)), 3),
        ], 20));
      }
      const best = `oracle ${herd("oracle").mean.toFixed(2)}`;
      account.take(
        `${section}: herd index <= ${MOST_HERD}`,
        name,
        herd(OURS.name),
        MOST_HERD,
        best,
      );
      account.take(
        `${section}: avoidable overload / oracle's <= ${MOST_OVERLOAD}`,
        name,
        overload(OURS.name),
        MOST_OVERLOAD,
        `clairvoyant ${overload("clairvoyant").mean.toFixed(2)}`,
      );
    }
  }
}

export function printBalancers({ effort, cores, account }: Run): void {
  console.log(
    "\nfour independent balancers over one pool: mean slowdown of four / of one (excess of one > of four)",
  );
  const compared = ROWS.filter(({ name }) =>
    [OURS.name, "cores_minus_load", "leastconn_weighted", "agent_leastconn"].includes(name)
  );
  console.log(line(["", ...compared.map(({ name }) => name)], 36));
  for (const workload of WORKLOADS) {
    for (const utilisation of UTILISATIONS) {
      for (const pollSeconds of [10, 30]) {
        const cell: Cell = { workload, utilisation, pollSeconds, cores };
        const one = runCell(cell, compared, effort);
        const four = runCell({ ...cell, balancers: 4 }, compared, effort);
        const name = `${workload} ${utilisation} ${pollSeconds} s`;
        const cells = compared.map(({ name: row }) => {
          const alone = values(one, row, (outcome) => outcome.meanSlowdown);
          const together = values(four, row, (outcome) => outcome.meanSlowdown);
          const estimate = estimateRatio(together, alone);
          if (row === OURS.name) {
            account.take(`four balancers / one <= ${MOST_OF_FOUR}`, name, estimate, MOST_OF_FOUR);
          }
          const excesses = [alone, together].map((each) =>
            (estimateMean(each).mean - 1).toFixed(4)
          );
          return `${show(estimate, 3)} (${excesses.join(" > ")})`;
        });
        console.log(line([name, ...cells], 36));
      }
    }
  }
}

export function printStale({ effort, cores, account }: Run): void {
  console.log(
    "\nstale data, equal servers (random is at its best there): excess slowdown / random's",
  );
  const rows = ROWS.filter(({ name }) =>
    [OURS.name, "cores_minus_load", "agent_round_robin", "two_choices", "random", "round_robin"]
      .includes(name)
  );
  for (const workload of WORKLOADS) {
    for (const utilisation of [0.5, 0.7, 0.85]) {
      const title = `${workload}, utilisation ${utilisation}`;
      console.log(line([title, ...rows.map(({ name }) => name)], 20));
      for (const pollSeconds of [60, 180, 600, 1800, 7200, Infinity]) {
        const cell: Cell = { workload, utilisation, pollSeconds, cores: equalCores(cores) };
        const outcomes = runCell(cell, rows, effort);
        const ratios = rows.map(({ name }) => show(ratio(outcomes, name, "random"), 2));
        console.log(line([`  poll every ${pollSeconds} s`, ...ratios], 20));
        const means = [OURS.name, "random"].map((name) =>
          estimateMean(values(outcomes, name, excess)).mean
        );
        if (Math.max(...means) < NOTHING) continue;
        account.take(
          `stale data / random <= ${MOST_STALE}`,
          `${title}, ${pollSeconds} s`,
          ratio(outcomes, OURS.name, "random"),
          MOST_STALE,
        );
      }
    }
  }
}

export function printChurn({ effort, cores }: Run): void {
  console.log("\nservers leave (their sessions go on) and come back, 10 s: excess mean slowdown");
  const columns = WORKLOADS.flatMap((workload) =>
    [0.7, 0.85].map((utilisation) => ({ workload, utilisation }))
  );
  console.log(
    line(["", ...columns.map(({ workload, utilisation }) => `${workload} ${utilisation}`)]),
  );
  const all = columns.map((column) =>
    runCell({ ...column, pollSeconds: 10, cores, churn: true }, ROWS, effort)
  );
  for (const { name, label } of ROWS) {
    const means = all.map((outcomes) => show(estimateMean(values(outcomes, name, excess))));
    console.log(line([label, ...means]));
  }
}
