// Prints how well strategies place sessions, in the simulator, beside the targets of the project.
//
//   deno task bench:placement [--quick] [--replications N] [--hours N] [--seed N] [--pool a|b]
//     [--only SECTION[,SECTION] | --trace FILE [--copies N]]
//
// Sections: validity, slowdown, outside, class, short, instant, balancers, stale, churn. With --trace the
// sessions are those of a log in Standard Workload Format instead. Nothing is asserted; the end lists the
// targets that were not met, each with what those get who know more than any program can.

import { parseArgs } from "@std/cli/parse-args";
import type { Effort } from "./compare.ts";
import { isPoolName, POOLS } from "./scenarios.ts";
import {
  printBalancers,
  printChurn,
  printClassStarts,
  printOutside,
  printSlowdowns,
  printStale,
  type Run,
} from "./sections.ts";
import { printInstant, printShort } from "./logins.ts";
import { readSwf } from "./swf.ts";
import { Account } from "./targets.ts";
import { printTrace } from "./trace.ts";
import { printValidity } from "./validity.ts";

/** Replications and simulated hours unless told. */
const EFFORTS = {
  sections: { full: { replications: 20, hours: 24 }, quick: { replications: 6, hours: 8 } },
  trace: {
    full: { replications: 5, hours: Infinity },
    quick: { replications: 2, hours: 14 * 24 },
  },
} as const;

async function main(): Promise<void> {
  const args = parseArgs(Deno.args, {
    boolean: ["quick"],
    string: ["only", "replications", "hours", "seed", "pool", "trace", "copies"],
    unknown: (argument) => {
      // Minutes of figures are no answer to --help.
      console.error(
        `Unknown argument "${argument}": expected --quick, --replications N, --hours N, --seed N, ` +
          "--pool a|b, --only SECTION,..., --trace FILE, --copies N",
      );
      Deno.exit(64);
    },
  });
  const isQuick = args["quick"] === true;
  const isTrace = args["trace"] !== undefined;
  const stray = args[isTrace ? "only" : "copies"] === undefined ? "" : isTrace ? "only" : "copies";
  if (stray !== "") {
    console.error(`Cannot use --${stray} ${isTrace ? "with" : "without"} --trace`);
    Deno.exit(64);
  }
  const usual = EFFORTS[isTrace ? "trace" : "sections"][isQuick ? "quick" : "full"];
  const effort: Effort = {
    replications: Number(args["replications"] ?? usual.replications),
    hours: Number(args["hours"] ?? usual.hours),
    firstSeed: Number(args["seed"] ?? 1),
  };
  const pool = String(args["pool"] ?? "a");
  if (!isPoolName(pool)) {
    throw new Error(`Cannot simulate pool "${pool}": expected ${Object.keys(POOLS).join(" or ")}`);
  }
  const run: Run = { effort, cores: POOLS[pool], account: new Account() };
  const last = effort.firstSeed + effort.replications - 1;
  console.log(
    `pool ${pool} (${run.cores.join(", ")} cores), seeds ${effort.firstSeed} to ${last}, ` +
      `${
        effort.hours === Infinity ? "the whole log" : `${effort.hours} simulated hours`
      } each, 95 % intervals`,
  );
  if (isTrace) await runTrace(run, String(args["trace"]), String(args["copies"] ?? ""));
  else runSections(run, String(args["only"] ?? ""), isQuick);
  run.account.print();
}

function runSections(run: Run, wanted: string, isQuick: boolean): void {
  const sections: Readonly<Record<string, (run: Run) => void>> = {
    validity: () => printValidity(isQuick ? 1 : 2),
    slowdown: printSlowdowns,
    outside: printOutside,
    class: printClassStarts,
    short: printShort,
    instant: printInstant,
    balancers: printBalancers,
    stale: printStale,
    churn: printChurn,
  };
  const only = wanted.split(",").filter((section) => section !== "");
  const unknown = only.find((section) => !Object.hasOwn(sections, section));
  if (unknown !== undefined) {
    throw new Error(`Cannot print "${unknown}": expected ${Object.keys(sections).join(", ")}`);
  }
  for (const [name, print] of Object.entries(sections)) {
    if (only.length === 0 || only.includes(name)) print(run);
  }
}

/** @param copies empty: as many as fill the pool. */
async function runTrace(run: Run, path: string, copies: string): Promise<void> {
  if (!/^([1-9]\d{0,2})?$/.test(copies)) {
    console.error(`Cannot lay "${copies}" copies of a log beside each other: expected 1 to 999`);
    Deno.exit(64);
  }
  const log = await readSwf(path);
  if (!log.ok) {
    console.error(log.message);
    Deno.exit(1);
  }
  const name = path.split("/").at(-1) ?? path;
  printTrace(run, name, log.value, copies === "" ? undefined : Number(copies));
}

if (import.meta.main) await main();
