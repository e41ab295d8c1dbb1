// Names of the running balancer, for completion: quick, and silent when there is nobody to ask.

import { isStatusReport } from "../admin/report.ts";
import { findAnswer } from "./ask_balancer.ts";
import type { Live } from "./command.ts";
import { print } from "./output.ts";

/** Prints the names, one a line. */
export async function printLiveNames(what: Live): Promise<void> {
  const answer = await findAnswer({}, "completion", "/v1/status");
  if (!answer.ok || !isStatusReport(answer.report)) return;
  const { pools, frontends } = answer.report;
  const names = what === "frontends"
    ? frontends.map(({ name }) => name)
    : pools.flatMap(({ backends, removed = [] }) => [...backends, ...removed].map(({ id }) => id));
  print([...new Set(names)].map((name) => `${name}\n`).join(""));
}
