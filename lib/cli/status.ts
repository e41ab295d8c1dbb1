// `compute-lb status`: asks the running balancer and shows its report.

import { isStatusReport } from "../admin/report.ts";
import { askBalancer, drawReport, findAnswer } from "./ask_balancer.ts";
import { EXIT_FAILURE, EXIT_OK } from "./exit_code.ts";
import { colourful, complain, print, printWrapped, terminalWidth } from "./output.ts";
import { cannotTell, notRunning, type PluginResult, pluginResult } from "./nagios.ts";
import type { PlacesCommand } from "./status_places.ts";
import { renderStatus } from "./status_table.ts";

export interface StatusCommand extends PlacesCommand {
  readonly json: boolean;
  /** As a plugin for Nagios. */
  readonly nagios: boolean;
}

export async function status(command: StatusCommand): Promise<number> {
  if (command.nagios) return await plugin(command);
  const answer = await askBalancer(command, "status", "/v1/status");
  if (!answer.ok) return answer.exitCode;
  const { report } = answer;
  if (command.json) {
    print(JSON.stringify(report, null, 2) + "\n");
    return EXIT_OK;
  }
  const table = isStatusReport(report)
    ? drawReport(() => renderStatus(report, colourful(), terminalWidth()))
    : undefined;
  if (table === undefined) {
    complain("The balancer's answer is not a status report: is it of another version?");
    return EXIT_FAILURE;
  }
  printWrapped(table);
  return EXIT_OK;
}

async function plugin(command: StatusCommand): Promise<number> {
  const { line, exitCode } = await pluginOutcome(command);
  print(`${line}\n`);
  return exitCode;
}

async function pluginOutcome(command: StatusCommand): Promise<PluginResult> {
  const answer = await findAnswer(command, "status", "/v1/status");
  if (!answer.ok) return answer.isAbsent ? notRunning(answer.message) : cannotTell(answer.message);
  const { report } = answer;
  const result = isStatusReport(report) ? drawReport(() => pluginResult(report)) : undefined;
  return result ?? cannotTell("the answer is not a status report: is it of another version?");
}
