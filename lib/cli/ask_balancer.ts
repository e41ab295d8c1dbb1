// Asks the running balancer over its admin socket, wherever that is: what status and why have in common.

import { askAdmin, isTrustedSocket } from "../admin/client.ts";
import { failure, type Result } from "../core/values/result.ts";
import { EXIT_FAILURE } from "./exit_code.ts";
import { complain, deepPrintable } from "./output.ts";
import { type Places, type PlacesCommand, placesToAsk } from "./status_places.ts";

/** An answer without control characters; what went wrong has been told. */
export type BalancerAnswer =
  | { readonly ok: true; readonly report: unknown }
  | { readonly ok: false; readonly exitCode: number };

/** GETs a resource for the command of that name. */
export async function askBalancer(
  command: PlacesCommand,
  name: string,
  resource: string,
): Promise<BalancerAnswer> {
  const places = await placesToAsk(command);
  if (!places.ok) {
    complain(places.message);
    return { ok: false, exitCode: places.exitCode };
  }
  if (places.warning !== undefined) complain(places.warning);
  const answer = await ask(places, command, name, resource);
  if (answer.ok) return { ok: true, report: deepPrintable(answer.value) };
  complain(answer.message);
  return { ok: false, exitCode: EXIT_FAILURE };
}

/** Draws a report; one of another version may lack, deep inside, what that needs: undefined then. */
export function drawReport(render: () => string): string | undefined {
  try {
    return render();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) return undefined;
    throw error;
  }
}

async function ask(
  places: Places & { readonly ok: true },
  command: PlacesCommand,
  name: string,
  resource: string,
): Promise<Result<unknown>> {
  const { sockets, named } = places;
  const reasons: string[] = [];
  for (const socket of sockets) {
    // A path that somebody has named is trusted as it is.
    if (socket !== named && !await isTrustedSocket(socket, Deno.uid())) {
      reasons.push(`Cannot trust ${socket}: its folder can be written by others`);
      continue;
    }
    const answer = await askAdmin(socket, resource);
    if (!answer.ok) {
      reasons.push(answer.message);
      continue;
    }
    if (named !== undefined && socket !== named) {
      complain(`${reasons[0]}: this is the balancer at ${socket}`);
    }
    return answer;
  }
  const hint = sockets.length > 1
    ? `\nSay where it is: compute-lb ${name} --admin-socket PATH`
    : named !== undefined && command.adminSocket === undefined
    ? `\nOne that was started before admin.socket changed still has its old socket: ` +
      `compute-lb ${name} --admin-socket PATH`
    : "";
  return failure(`${reasons.join("\n")}${hint}`);
}
