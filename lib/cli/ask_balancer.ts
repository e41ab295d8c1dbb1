// Asks the running balancer over its admin socket, wherever that is: what status and why have in common.

import { askAdmin, isTrustedSocket } from "../admin/client.ts";
import { isStatusReport, type StatusReport } from "../admin/report.ts";
import { EXIT_CONFIG, EXIT_FAILURE } from "./exit_code.ts";
import { complain, deepPrintable } from "./output.ts";
import { type Places, type PlacesCommand, placesToAsk } from "./status_places.ts";

/** An answer without control characters; what went wrong has been told. */
export type BalancerAnswer =
  | { readonly ok: true; readonly report: unknown; readonly socket: string }
  | { readonly ok: false; readonly exitCode: number };

/** An answer, or why there is none; a warning is to be told even if all goes well. */
export type FoundAnswer =
  & { readonly warning?: string }
  & (
    | {
      readonly ok: true;
      readonly report: unknown;
      /** Where the balancer was found. */
      readonly socket: string;
    }
    | {
      readonly ok: false;
      readonly message: string;
      readonly exitCode: number;
      /** Nobody listens where a balancer would. */
      readonly isAbsent: boolean;
    }
  );

/** GETs a resource for the command of that name, and tells what went wrong. */
export async function askBalancer(
  command: PlacesCommand,
  name: string,
  resource: string,
): Promise<BalancerAnswer> {
  const found = await findAnswer(command, name, resource);
  if (found.warning !== undefined) complain(found.warning);
  if (!found.ok) complain(found.message);
  return found;
}

/** GETs a resource for the command of that name. */
export async function findAnswer(
  command: PlacesCommand,
  name: string,
  resource: string,
): Promise<FoundAnswer> {
  const places = await placesToAsk(command);
  if (!places.ok) {
    // Faults of a file that has been edited must not keep anybody from the balancer that runs.
    const hint = places.exitCode !== EXIT_CONFIG
      ? ""
      : `\nTo ask the running balancer all the same: compute-lb ${name} --admin-socket PATH`;
    return { ...places, message: places.message + hint, isAbsent: false };
  }
  const answer = await ask(places, command, name, resource);
  const warnings = [places.warning, answer.warning].filter((text) => text !== undefined);
  const warning = warnings.length === 0 ? {} : { warning: warnings.join("\n") };
  return { ...answer, ...warning };
}

/** Draws a report; one of another version may lack, deep inside, what that needs: undefined then. */
export function drawReport<T>(render: () => T): T | undefined {
  try {
    return render();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) return undefined;
    throw error;
  }
}

export const NO_STATUS_REPORT =
  "The balancer's answer is not a status report: is it of another version?";

/** Draws an answer as the StatusReport; undefined when it is none, or one of another version. */
export function drawStatus<T>(answer: unknown, draw: (report: StatusReport) => T): T | undefined {
  return isStatusReport(answer) ? drawReport(() => draw(answer)) : undefined;
}

async function ask(
  places: Places & { readonly ok: true },
  command: PlacesCommand,
  name: string,
  resource: string,
): Promise<FoundAnswer> {
  const { sockets, named } = places;
  const reasons: string[] = [];
  let isAbsent = true;
  for (const socket of sockets) {
    // A path that somebody has named is trusted as it is.
    if (socket !== named && !await isTrustedSocket(socket, Deno.uid())) {
      reasons.push(`Cannot trust ${socket}: its folder can be written by others`);
      isAbsent = false;
      continue;
    }
    const answer = await askAdmin(socket, resource);
    if (!answer.ok) {
      reasons.push(answer.message);
      isAbsent &&= answer.isAbsent;
      if (answer.isRefusal) {
        const { message } = answer;
        return { ok: false, message, exitCode: EXIT_FAILURE, isAbsent };
      }
      continue;
    }
    const isOther = named !== undefined && socket !== named;
    return {
      ok: true,
      report: deepPrintable(answer.value),
      socket,
      ...(isOther ? { warning: `${reasons[0]}: this is the balancer at ${socket}` } : {}),
    };
  }
  const hint = sockets.length > 1
    ? `\nSay where it is: compute-lb ${name} --config FILE, or --admin-socket PATH`
    : named !== undefined && command.adminSocket === undefined
    ? `\nOne that was started before admin.socket changed still has its old socket: ` +
      `compute-lb ${name} --admin-socket PATH`
    : "";
  return {
    ok: false,
    message: `${reasons.join("\n")}${hint}`,
    exitCode: EXIT_FAILURE,
    isAbsent,
  };
}
