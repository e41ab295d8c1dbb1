// `compute-lb status`: asks the running balancer and shows its report.

import { SYSTEM_CLOCK } from "../host/clock.ts";
import { askBalancer, drawStatus, findAnswer, NO_STATUS_REPORT } from "./ask_balancer.ts";
import { EXIT_FAILURE, EXIT_OK } from "./exit_code.ts";
import { showLive } from "./live_screen.ts";
import { colourful, complain, print, printWrapped, terminalWidth } from "./output.ts";
import { cannotTell, notRunning, type PluginResult, pluginResult } from "./nagios.ts";
import type { PlacesCommand } from "./status_places.ts";
import { renderStatus } from "./status_table.ts";

export interface StatusCommand extends PlacesCommand {
  readonly json: boolean;
  /** As a plugin for Nagios. */
  readonly nagios: boolean;
  /** Again and again. */
  readonly watch: boolean;
}

const WATCH_MS = 2000;

export async function status(command: StatusCommand): Promise<number> {
  if (command.nagios) return await plugin(command);
  if (command.watch) return await watch(command);
  const answer = await askBalancer(command, "status", "/v1/status");
  if (!answer.ok) return answer.exitCode;
  const { report } = answer;
  if (command.json) {
    print(JSON.stringify(report, null, 2) + "\n");
    return EXIT_OK;
  }
  const table = tableOf(report);
  if (table === undefined) {
    complain(NO_STATUS_REPORT);
    return EXIT_FAILURE;
  }
  printWrapped(table);
  return EXIT_OK;
}

/** The tables of an answer; undefined when it is no report. */
function tableOf(answer: unknown): string | undefined {
  return drawStatus(answer, (report) => renderStatus(report, colourful(), terminalWidth()));
}

/** Shows the tables anew until a key or a signal ends it; one after the other where there is no screen. */
async function watch(command: StatusCommand): Promise<number> {
  const draw = async () => {
    const { warning, ...answer } = await findAnswer(command, "status", "/v1/status");
    if (!answer.ok) return answer.message;
    const table = tableOf(answer.report);
    return [...(warning === undefined ? [] : [warning]), table ?? NO_STATUS_REPORT].join("\n");
  };
  const never = new AbortController().signal;
  if (Deno.stdout.isTerminal()) {
    const lines = async () => (await draw()).trimEnd().split("\n");
    await showLive({ draw: lines, pressed: (key) => key !== "q" }, WATCH_MS, never);
    return EXIT_OK;
  }
  for (;;) {
    print(`${await draw()}\n`);
    await SYSTEM_CLOCK.sleep(WATCH_MS, never);
  }
}

async function plugin(command: StatusCommand): Promise<number> {
  const { line, exitCode } = await pluginOutcome(command);
  print(`${line}\n`);
  return exitCode;
}

async function pluginOutcome(command: StatusCommand): Promise<PluginResult> {
  const answer = await findAnswer(command, "status", "/v1/status");
  if (!answer.ok) return answer.isAbsent ? notRunning(answer.message) : cannotTell(answer.message);
  return drawStatus(answer.report, pluginResult) ?? cannotTell(NO_STATUS_REPORT);
}
