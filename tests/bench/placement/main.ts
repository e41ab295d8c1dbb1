// Prints how well strategies place sessions, in the simulator, beside the targets of the project.
//
//   deno task bench:placement [--quick] [--replications N] [--hours N] [--seed N] [--pool a|b]
//     [--only SECTION[,SECTION]]
//
// Sections: validity, slowdown, outside, class, short, instant, balancers, stale, churn. Nothing is
// asserted; the end lists the targets that were not met, each with what those get who know more than any
// program can.

import { parseArgs } from "@std/cli/parse-args";
import type { Effort } from "./compare.ts";
import { printInstant, printShort } from "./logins.ts";
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
import { Account } from "./targets.ts";
import { printValidity } from "./validity.ts";

function main(): void {
  const args = parseArgs(Deno.args, {
    boolean: ["quick"],
    string: ["only", "replications", "hours", "seed", "pool"],
    unknown: (argument) => {
      // Minutes of figures are no answer to --help.
      console.error(
        `Unknown argument "${argument}": expected --quick, --replications N, --hours N, --seed N, ` +
          "--pool a|b, --only SECTION,...",
      );
      Deno.exit(64);
    },
  });
  const isQuick = args["quick"] === true;
  const effort: Effort = {
    replications: Number(args["replications"] ?? (isQuick ? 6 : 20)),
    hours: Number(args["hours"] ?? (isQuick ? 8 : 24)),
    firstSeed: Number(args["seed"] ?? 1),
  };
  const pool = String(args["pool"] ?? "a");
  if (!isPoolName(pool)) {
    throw new Error(`Cannot simulate pool "${pool}": expected ${Object.keys(POOLS).join(" or ")}`);
  }
  const run: Run = { effort, cores: POOLS[pool], account: new Account() };
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
  const only = String(args["only"] ?? "").split(",").filter((section) => section !== "");
  const unknown = only.find((section) => !Object.hasOwn(sections, section));
  if (unknown !== undefined) {
    throw new Error(`Cannot print "${unknown}": expected ${Object.keys(sections).join(", ")}`);
  }
  const last = effort.firstSeed + effort.replications - 1;
  console.log(
    `pool ${pool} (${run.cores.join(", ")} cores), seeds ${effort.firstSeed} to ${last}, ` +
      `${effort.hours} simulated hours each, 95 % intervals`,
  );
  for (const [name, print] of Object.entries(sections)) {
    if (only.length === 0 || only.includes(name)) print(run);
  }
  run.account.print();
}

if (import.meta.main) main();
