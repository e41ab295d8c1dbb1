// `compute-lb why`: asks the running balancer why connections landed where they did.

import { isWhyReport, whyResource } from "../admin/why_report.ts";
import { askBalancer, drawReport } from "./ask_balancer.ts";
import { EXIT_FAILURE, EXIT_OK } from "./exit_code.ts";
import { colourful, complain, print, printWrapped } from "./output.ts";
import type { PlacesCommand } from "./status_places.ts";
import { renderWhy } from "./why_text.ts";

export interface WhyCommand extends PlacesCommand {
  readonly json: boolean;
  /** Absent: 1. */
  readonly last?: number;
  /** An address, its host, or the beginning of that. */
  readonly client?: string;
}

export async function why(command: WhyCommand): Promise<number> {
  const { last = 1, client } = command;
  const resource = whyResource({ last, ...(client === undefined ? {} : { client }) });
  const answer = await askBalancer(command, "why", resource);
  if (!answer.ok) return answer.exitCode;
  const { report } = answer;
  const text = isWhyReport(report) ? drawReport(() => renderWhy(report, colourful())) : undefined;
  if (!isWhyReport(report) || text === undefined) {
    complain("The balancer's answer does not say why: is it of another version?");
    return EXIT_FAILURE;
  }
  if (command.json) print(JSON.stringify(report, null, 2) + "\n");
  else printWrapped(text);
  if (report.decisions.length > 0) return EXIT_OK;
  const missing = client === undefined
    ? "has come since the balancer started"
    : `${client} is known`;
  complain(`Nothing to explain: no client ${missing}`);
  return EXIT_FAILURE;
}
