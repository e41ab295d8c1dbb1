// Where a command's configuration comes from: the file it names, the usual file, or flags alone.

import { readToken, type Token } from "../admin/token.ts";
import { compileLocations, type Locations } from "../app/locations.ts";
import type { Config } from "../config/config.ts";
import { type ConfigError, formatPath, sortConfigErrors } from "../config/config_error.ts";
import { findLoops } from "../config/loops.ts";
import type { Overrides } from "../config/overrides.ts";
import { type ConfigInput, faultAt, readConfig } from "../config/read_config.ts";
import { messageOf } from "../core/values/errors.ts";
import { success } from "../core/values/result.ts";
import { findInheritedObstacle } from "../engine/choose.ts";
import { activatedDescriptors } from "../host/systemd.ts";
import { ownAddresses } from "../host/own_addresses.ts";
import { findUser } from "../host/privileges.ts";
import { readRegularFile } from "../asking/regular_file.ts";

/** Read when neither --config nor both --listen and --backends, --discover or --feed are given. */
export const DEFAULT_FILE = "/etc/compute-lb/lb.conf";

/** The most characters that are read as YAML (2^20) take no more in UTF-8. */
const MOST_BYTES = 3 * 2 ** 20;

export interface ConfigCommand {
  readonly configFile?: string;
  /** Instead of a file: what an lb.conf would say, as arguments have it. */
  readonly text?: string;
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
export type RunnableConfig = ReadConfig & MachineParts | NoConfig;

interface MachineParts {
  readonly locations: Locations;
  /** What admin.token_file holds; undefined: it names none. */
  readonly token: Token | undefined;
}

/**
 * Reads the configuration that a command line asks for, with what it needs of this machine: the user, the
 * token and the database that it names must be there, and no backend may be the balancer itself.
 * @param knownUser one that need not be looked up again.
 */
export async function readRunnableConfig(
  command: ConfigCommand,
  knownUser?: string,
): Promise<RunnableConfig> {
  const read = await readCommandConfig(command);
  if (read.kind !== "config") return read;
  const { config, input } = read;
  const errors = findLoops(config, ownAddresses())
    .map(({ path, message }) => faultAt(input, path, message));
  try {
    if (config.user !== undefined && config.user !== knownUser) findUser(config.user);
  } catch (error) {
    errors.push(faultAt(input, ["user"], messageOf(error)));
  }
  const inherited = inheritedFault(config, input);
  if (inherited !== undefined) errors.push(inherited);
  const { tokenFile } = config.admin;
  const token = tokenFile === undefined ? success(undefined) : await readToken(tokenFile);
  if (!token.ok) errors.push(faultAt(input, ["admin", "token_file"], token.message));
  const compiled = await compileLocations(config);
  if (compiled.ok && token.ok && errors.length === 0) {
    return { ...read, locations: compiled.value, token: token.value };
  }
  if (!compiled.ok) {
    errors.push(...compiled.faults.map(({ at, message, place }) => {
      return place === undefined
        ? faultAt(input, at, message)
        : { ...place, path: formatPath(at), message };
    }));
  }
  return { kind: "errors", errors: sortConfigErrors(errors) };
}

/** Flags alone take both of the two that say from where to where. */
function whatIsMissing({ listen, backends, discover, feed }: Overrides): string {
  if (listen !== undefined) {
    return "Nobody to balance over: give --backends, --discover or --feed, or --config FILE";
  }
  if ((backends ?? discover ?? feed) !== undefined) {
    return "Nowhere to listen: give --listen, or --config FILE";
  }
  return "Nothing to balance: give --listen and --backends, or --config FILE";
}

/** Sockets that systemd has passed to this process and its engine cannot take, as a fault of the configuration. */
function inheritedFault(
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

/** Reads the configuration that a command line asks for. */
export async function readCommandConfig(command: ConfigCommand): Promise<CommandConfig> {
  const { overrides } = command;
  const flagsSuffice = overrides.listen !== undefined &&
    (overrides.backends ?? overrides.discover ?? overrides.feed) !== undefined;
  const isMade = command.text !== undefined;
  const path = command.configFile ?? (flagsSuffice || isMade ? undefined : DEFAULT_FILE);
  let { text } = command;
  if (path !== undefined) {
    try {
      const bytes = await readRegularFile(path, MOST_BYTES, "an lb.conf");
      text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
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
    ...(text === undefined ? {} : { file: { path: path ?? "command line", text } }),
    overrides,
  };
  const read = readConfig(input);
  return read.ok
    ? { kind: "config", config: read.config, path, input }
    : { kind: "errors", errors: read.errors };
}
