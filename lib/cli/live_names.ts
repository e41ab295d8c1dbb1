// Names of the running balancer, for completion: quick, and silent when there is nobody to ask.

import { isStatusReport } from "../admin/report.ts";
import { isSessionsReport, sessionsResource } from "../admin/session_report.ts";
import { findAnswer } from "./ask_balancer.ts";
import type { Live } from "./command.ts";
import { print } from "./output.ts";

/** Prints the names, one a line. */
export async function printLiveNames(what: Live): Promise<void> {
  if (what === "sessions") {
    const answer = await findAnswer({}, "completion", sessionsResource({}));
    if (!answer.ok || !isSessionsReport(answer.report)) return;
    print(answer.report.sessions.map(({ id }) => `${id}\n`).join(""));
    return;
  }
  const answer = await findAnswer({}, "completion", "/v1/status");
  if (!answer.ok || !isStatusReport(answer.report)) return;
  const { pools, frontends } = answer.report;
  const names = what === "frontends"
    ? frontends.map(({ name }) => name)
    : what === "pools"
    ? pools.map(({ name }) => name)
    : pools.flatMap(({ backends, removed = [] }) => [...backends, ...removed].map(({ id }) => id));
  print([...new Set(names)].map((name) => `${name}\n`).join(""));
}
