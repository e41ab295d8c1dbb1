// `compute-lb status`: asks the running balancer and shows its report.

import { askAdmin } from "../admin/client.ts";
import { isStatusReport } from "../admin/report.ts";
import { socketCandidates } from "../admin/socket_path.ts";
import type { Result } from "../core/result.ts";
import { readCommandConfig } from "./config_source.ts";
import { EXIT_FAILURE, EXIT_OK } from "./exit_code.ts";
import { colourful, complain, print } from "./output.ts";
import { renderStatus } from "./status_table.ts";

export interface StatusCommand {
  readonly json: boolean;
  /** Whose admin.socket to ask. */
  readonly configFile?: string;
  /** Absent, and no file either: the usual places are tried. */
  readonly adminSocket?: string;
}

export async function status(command: StatusCommand): Promise<number> {
  const socket = command.adminSocket ?? await configuredSocket(command.configFile);
  const answer = await ask(socket);
  if (!answer.ok) {
    complain(answer.message);
    return EXIT_FAILURE;
  }
  if (command.json) {
    print(JSON.stringify(answer.value, null, 2) + "\n");
    return EXIT_OK;
  }
  if (!isStatusReport(answer.value)) {
    complain("The balancer's answer is not a status report: is it of another version?");
    return EXIT_FAILURE;
  }
  print(renderStatus(answer.value, colourful()));
  return EXIT_OK;
}

/** The socket that a file names; undefined when it leaves the choice to the balancer. */
async function configuredSocket(configFile: string | undefined): Promise<string | undefined> {
  if (configFile === undefined) return undefined;
  const read = await readCommandConfig({ configFile, overrides: {} });
  if (read.kind !== "config" || typeof read.config.admin.socket === "string") return undefined;
  return read.config.admin.socket.path;
}

async function ask(socket: string | undefined): Promise<Result<unknown>> {
  if (socket !== undefined) return await askAdmin(socket, "/v1/status");
  const places = socketCandidates(Deno.uid(), Deno.env.get("XDG_RUNTIME_DIR"));
  const reasons: string[] = [];
  for (const place of places) {
    const answer = await askAdmin(place, "/v1/status");
    if (answer.ok) return answer;
    reasons.push(answer.message);
  }
  return {
    ok: false,
    message: `${reasons.join("\n")}\nSay where it is: compute-lb status --admin-socket PATH`,
  };
}
