// Where a command's configuration comes from: the file it names, the usual file, or flags alone.

import { compileLocations, type Locations } from "../app/locations.ts";
import type { Config } from "../config/config.ts";
import type { ConfigError } from "../config/config_error.ts";
import type { Overrides } from "../config/overrides.ts";
import { type ConfigInput, faultAt, readConfig } from "../config/read_config.ts";
import { messageOf } from "../core/errors.ts";
import { findInheritedObstacle } from "../engine/choose.ts";
import { activatedDescriptors } from "../engine/splice/sockets.ts";

/** Read when neither --config nor both --listen and --backends are given. */
export const DEFAULT_FILE = "/etc/compute-lb/lb.conf";

export interface ConfigCommand {
  readonly configFile?: string;
  readonly overrides: Overrides;
}

interface ReadConfig {
  readonly kind: "config";
  readonly config: Config;
  readonly path: string | undefined;
  /** What it was read from. */
  readonly input: ConfigInput;
}

type NoConfig =
  | { readonly kind: "errors"; readonly errors: readonly ConfigError[] }
  | { readonly kind: "usage"; readonly message: string };

export type CommandConfig = ReadConfig | NoConfig;

/** A configuration with what it needs of other files. */
export type RunnableConfig = ReadConfig & { readonly locations: Locations } | NoConfig;

/** Reads the configuration that a command line asks for, and the database that it names. */
export async function readRunnableConfig(command: ConfigCommand): Promise<RunnableConfig> {
  const read = await readCommandConfig(command);
  if (read.kind !== "config") return read;
  const inherited = inheritedFault(read.config, read.input);
  if (inherited !== undefined) return { kind: "errors", errors: [inherited] };
  const located = await compileLocations(read.config);
  return located.ok
    ? { ...read, locations: located.value }
    : { kind: "errors", errors: [databaseFault(read.input, located.message)] };
}

/** Flags alone take both of the two that say from where to where. */
function whatIsMissing({ listen, backends }: Overrides): string {
  if (listen !== undefined) return "Nobody to balance over: give --backends, or --config FILE";
  if (backends !== undefined) return "Nowhere to listen: give --listen, or --config FILE";
  return "Nothing to balance: give --listen and --backends, or --config FILE";
}

/** A fault of the database as one of the configuration. */
export function databaseFault(input: ConfigInput, message: string): ConfigError {
  return faultAt(input, ["location_database"], message);
}

/** Sockets that systemd has passed to this process and its engine cannot take, as a fault of the configuration. */
export function inheritedFault(
  { engine }: Config,
  input: ConfigInput,
): ConfigError | undefined {
  const variable = (name: string) => Deno.env.get(name);
  const message = findInheritedObstacle(
    engine.kind,
    activatedDescriptors(Deno.pid, variable),
    variable("LISTEN_FDNAMES")?.split(":") ?? [],
  );
  return message === undefined ? undefined : faultAt(input, ["engine", "kind"], message);
}

/**
 * A FIFO, a device or a directory is no configuration: to read one may take for ever, and a reload reads
 * again what the start has used up.
 * @throws {Error} saying what it is.
 */
async function expectRegularFile(path: string): Promise<void> {
  const { isFile, isDirectory, isFifo, isSocket } = await Deno.stat(path);
  if (isFile) return;
  const found = isDirectory
    ? "a directory"
    : isFifo
    ? "a pipe"
    : isSocket
    ? "a socket"
    : "a device";
  throw new Error(`it is ${found}, expected a regular file`);
}

/** Reads the configuration that a command line asks for. */
export async function readCommandConfig(command: ConfigCommand): Promise<CommandConfig> {
  const { overrides } = command;
  const flagsSuffice = overrides.listen !== undefined && overrides.backends !== undefined;
  const path = command.configFile ?? (flagsSuffice ? undefined : DEFAULT_FILE);
  let text: string | undefined;
  if (path !== undefined) {
    try {
      await expectRegularFile(path);
      text = await Deno.readTextFile(path);
    } catch (error) {
      const missing = error instanceof Deno.errors.NotFound;
      if (missing && command.configFile === undefined) {
        return {
          kind: "usage",
          message: `${whatIsMissing(overrides)} (there is no ${DEFAULT_FILE})\n` +
            `Try "compute-lb --help".`,
        };
      }
      const why = missing ? "there is no such file" : messageOf(error);
      return {
        kind: "errors",
        errors: [{ file: path, path: "", message: `Cannot read it: ${why}` }],
      };
    }
  }
  const input: ConfigInput = {
    ...(path === undefined || text === undefined ? {} : { file: { path, text } }),
    overrides,
  };
  const read = readConfig(input);
  return read.ok
    ? { kind: "config", config: read.config, path, input }
    : { kind: "errors", errors: read.errors };
}
