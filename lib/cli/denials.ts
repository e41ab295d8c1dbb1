// `compute-lb deny` and `compute-lb undeny`: networks that frontends turn away by order.

import { printable } from "../core/values/printable.ts";
import { unknownFrontend } from "./backend_match.ts";
import { EXIT_FAILURE, EXIT_OK } from "./exit_code.ts";
import { describeTime, findBalancer, type OrderCommand, sendOrder } from "./orders.ts";
import { complain, print, printWrapped } from "./output.ts";

export interface DenialCommand extends OrderCommand {
  readonly networks: readonly string[];
  /** Absent: all. */
  readonly frontend?: string;
}

/** Orders the same of all networks that are named. @param denial absent: it is taken back. */
export async function orderDenials(
  command: DenialCommand,
  name: string,
  denial?: { readonly until: string | null },
): Promise<number> {
  const found = await findBalancer(command, name);
  if (!found.ok) return found.exitCode;
  const all = found.status.frontends.map((frontend) => frontend.name);
  const { frontend, networks, reason, json } = command;
  const unknown = frontend === undefined
    ? undefined
    : unknownFrontend(frontend, found.status.frontends);
  if (unknown !== undefined) {
    complain(printable(unknown));
    return EXIT_FAILURE;
  }
  const told: unknown[] = [];
  let exitCode = EXIT_OK;
  for (const one of frontend === undefined ? all : [frontend]) {
    for (const network of networks) {
      const path = `/v1/frontends/${encodeURIComponent(one)}/deny/${encodeURIComponent(network)}`;
      const body = { ...denial, ...(reason === undefined ? {} : { reason }) };
      const answer = await sendOrder(
        found.socket,
        denial === undefined
          ? { method: "DELETE", resource: path }
          : { method: "PUT", resource: path, body },
      );
      if (!answer.ok) {
        complain(`${one}: ${answer.message}`);
        exitCode = EXIT_FAILURE;
      } else if (json) told.push(answer.body);
      else printWrapped(`${one}: ${describeDenial(network, answer.body)}\n`);
    }
  }
  if (json) print(JSON.stringify(told, null, 2) + "\n");
  return exitCode;
}

function describeDenial(network: string, answer: unknown): string {
  if (typeof answer !== "object" || answer === null || !("network" in answer)) {
    return `${network} is no longer denied by order`;
  }
  const until = "until" in answer && typeof answer.until === "string"
    ? ` until ${describeTime(answer.until)}`
    : "";
  return `clients from ${answer.network} are turned away${until}`;
}
