// `compute-lb status`: asks the running balancer and shows its report.

import { askAdmin, isTrustedSocket } from "../admin/client.ts";
import { isStatusReport } from "../admin/report.ts";
import { failure, type Result } from "../core/result.ts";
import { EXIT_FAILURE, EXIT_OK } from "./exit_code.ts";
import { clip, colourful, complain, deepWithoutControls, print, terminalWidth } from "./output.ts";
import { type Places, type PlacesCommand, placesToAsk } from "./status_places.ts";
import { renderStatus } from "./status_table.ts";

export interface StatusCommand extends PlacesCommand {
  readonly json: boolean;
}

export async function status(command: StatusCommand): Promise<number> {
  const places = await placesToAsk(command);
  if (!places.ok) {
    complain(places.message);
    return places.exitCode;
  }
  if (places.warning !== undefined) complain(places.warning);
  const answer = await ask(places);
  if (!answer.ok) {
    complain(answer.message);
    return EXIT_FAILURE;
  }
  const report = deepWithoutControls(answer.value);
  if (command.json) {
    print(JSON.stringify(report, null, 2) + "\n");
    return EXIT_OK;
  }
  const table = isStatusReport(report) ? draw(() => renderStatus(report, colourful())) : undefined;
  if (table === undefined) {
    complain("The balancer's answer is not a status report: is it of another version?");
    return EXIT_FAILURE;
  }
  const width = terminalWidth();
  print(table.split("\n").map((line) => clip(line, width)).join("\n"));
  return EXIT_OK;
}

/** A report of another version may lack what a table needs, deep inside. */
function draw(render: () => string): string | undefined {
  try {
    return render();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) return undefined;
    throw error;
  }
}

async function ask(places: Places & { readonly ok: true }): Promise<Result<unknown>> {
  const { sockets, named } = places;
  const reasons: string[] = [];
  for (const socket of sockets) {
    // A path that somebody has named is trusted as it is.
    if (socket !== named && !await isTrustedSocket(socket, Deno.uid())) {
      reasons.push(`Cannot trust ${socket}: its folder can be written by others`);
      continue;
    }
    const answer = await askAdmin(socket, "/v1/status");
    if (!answer.ok) {
      reasons.push(answer.message);
      continue;
    }
    if (named !== undefined && socket !== named) {
      complain(`${reasons[0]}: this is the balancer at ${socket}`);
    }
    return answer;
  }
  const hint = sockets.length > 1 ? "\nSay where it is: compute-lb status --admin-socket PATH" : "";
  return failure(`${reasons.join("\n")}${hint}`);
}
