// Where a command's configuration comes from: the file it names, the usual file, or flags alone.

import type { Config } from "../config/config.ts";
import type { ConfigError } from "../config/config_error.ts";
import type { Overrides } from "../config/overrides.ts";
import { type ConfigInput, readConfig } from "../config/read_config.ts";
import { messageOf } from "../core/errors.ts";

/** Read when neither --config nor both --listen and --backends are given. */
export const DEFAULT_FILE = "/etc/compute-lb/lb.conf";

export interface ConfigCommand {
  readonly configFile?: string;
  readonly overrides: Overrides;
}

export type CommandConfig =
  | {
    readonly kind: "config";
    readonly config: Config;
    readonly path: string | undefined;
    /** What it was read from. */
    readonly input: ConfigInput;
  }
  | { readonly kind: "errors"; readonly errors: readonly ConfigError[] }
  | { readonly kind: "usage"; readonly message: string };

/** Reads the configuration that a command line asks for. */
export async function readCommandConfig(command: ConfigCommand): Promise<CommandConfig> {
  const { overrides } = command;
  const flagsSuffice = overrides.listen !== undefined && overrides.backends !== undefined;
  const path = command.configFile ?? (flagsSuffice ? undefined : DEFAULT_FILE);
  let text: string | undefined;
  if (path !== undefined) {
    try {
      text = await Deno.readTextFile(path);
    } catch (error) {
      const missing = error instanceof Deno.errors.NotFound;
      if (missing && command.configFile === undefined) {
        return {
          kind: "usage",
          message: `Nothing to balance: give --listen and --backends, or --config FILE ` +
            `(there is no ${DEFAULT_FILE})\nTry: compute-lb --help`,
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
