// The command line: reads it, runs the command, gives the exit status.

import { outliveHangups } from "../host/signals.ts";
import { parseCommand } from "./arguments.ts";
import { asCalled, calledAs } from "./called_as.ts";
import { COMMANDS } from "./commands.ts";
import { EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from "./exit_code.ts";
import { complain, outputTrouble } from "./output.ts";

/** Where programs are looked for when the environment does not say (init systems, env -i). */
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function completePath(): void {
  // Deno puts a folder of its own into an empty PATH, so that it is never empty here.
  const path = Deno.env.get("PATH") ?? "";
  if (!path.split(":").includes("/usr/bin")) Deno.env.set("PATH", `${path}:${DEFAULT_PATH}`);
}

/** Runs one command line, without the program's own name, and returns the exit status. */
export async function main(args: readonly string[]): Promise<number> {
  const parsed = parseCommand(asCalled(calledAs(), args), COMMANDS);
  if (!parsed.ok) {
    complain(parsed.message);
    return EXIT_USAGE;
  }
  // Services are started by init systems; other commands end with their terminal.
  if (parsed.isService) outliveHangups();
  completePath();
  const status = await parsed.task.run();
  const trouble = outputTrouble();
  if (trouble === undefined) return status;
  // Half a file must not pass for the whole of it.
  complain(`Cannot write to stdout: ${trouble}`);
  return status === EXIT_OK ? EXIT_FAILURE : status;
}
