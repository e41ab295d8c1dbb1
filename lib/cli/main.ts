// The command line: reads it, runs the command, gives the exit status.

import { ignoreUserSignals, outliveHangups } from "../host/signals.ts";
import { type Command, parseCommand } from "./arguments.ts";
import { EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from "./exit_code.ts";
import { complain, outputTrouble, print } from "./output.ts";
import { usage } from "./usage.ts";
import { VERSION } from "../version.ts";

/** Where programs are looked for when the environment does not say (init systems, env -i). */
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function completePath(): void {
  // Deno puts a folder of its own into an empty PATH, so that it is never empty here.
  const path = Deno.env.get("PATH") ?? "";
  if (!path.split(":").includes("/usr/bin")) Deno.env.set("PATH", `${path}:${DEFAULT_PATH}`);
}

/** Commands that init systems start; the others end with their terminal. */
const SERVICES: readonly Command["name"][] = ["run", "agent"];

/** Runs one command line, without the program's own name, and returns the exit status. */
export async function main(args: readonly string[]): Promise<number> {
  const parsed = parseCommand(args);
  if (!parsed.ok) {
    complain(parsed.message);
    return EXIT_USAGE;
  }
  if (SERVICES.includes(parsed.command.name)) outliveHangups();
  ignoreUserSignals();
  completePath();
  const status = await dispatch(parsed.command);
  const trouble = outputTrouble();
  if (trouble === undefined) return status;
  // Half a file must not pass for the whole of it.
  complain(`Cannot write to stdout: ${trouble}`);
  return status === EXIT_OK ? EXIT_FAILURE : status;
}

async function dispatch(command: Command): Promise<number> {
  switch (command.name) {
    case "help":
      print(usage(command.topic));
      return EXIT_OK;
    case "version":
      print(`compute-lb ${VERSION}\n`);
      return EXIT_OK;
    case "run":
      return await (await import("./run.ts")).run(command);
    case "check":
      return await (await import("./check.ts")).check(command);
    case "status":
      return await (await import("./status.ts")).status(command);
    case "why":
      return await (await import("./why.ts")).why(command);
    case "agent":
      return await (await import("./agent.ts")).agent(command);
    case "simulate":
      return await (await import("./simulate.ts")).simulate(command);
    case "echo":
      return await (await import("./echo.ts")).echo(command.addresses);
    case "demo":
      return await (await import("./demo/demo.ts")).demo(command);
  }
}
