// Opens the file in which a starting balancer keeps what administrators order, and says what cannot be kept.

import { type OpenedState, StateFile } from "../admin/state_file.ts";
import { prepareStateFolder, statePlace } from "../admin/state_place.ts";
import type { KeptOrders } from "../app.ts";
import type { Config } from "../config/config.ts";
import { messageOf } from "../core/values/errors.ts";
import type { LogArea } from "../log/setup.ts";
import { DEFAULT_FILE } from "./config_source.ts";

/** Where orders are to be kept. */
export interface StateOf {
  readonly path: string;
  /** Whether the configuration names the place: then the start fails where it cannot be had. */
  readonly isNamed: boolean;
}

/** @param file the configuration was read from; undefined: from flags alone. */
export function stateOf(
  { admin: { state } }: Config,
  file: string | undefined,
): StateOf | undefined {
  if (state === "off") return undefined;
  if (state !== "auto") return { path: state.path, isNamed: true };
  const stateDirectory = file === undefined ? undefined : Deno.env.get("STATE_DIRECTORY");
  const path = statePlace({ stateDirectory, isService: file === DEFAULT_FILE });
  return path === undefined ? undefined : { path, isNamed: false };
}

/**
 * Opens the file as the user that the process runs as.
 * @returns undefined where orders are kept in memory alone.
 * @throws {Error} when a file that is named cannot be had.
 */
export async function openState(
  state: StateOf | undefined,
  log: LogArea,
): Promise<KeptOrders | undefined> {
  if (state === undefined) return undefined;
  const { path, isNamed } = state;
  const inMemory = (reason: string) => {
    log.warning(
      `orders of administrators (drain, weight, …) end with this process: ${reason} ` +
        "(admin.state names another file)",
    );
    return undefined;
  };
  let opened: OpenedState;
  try {
    await prepareStateFolder(path);
    opened = await StateFile.open(path);
  } catch (error) {
    if (isNamed) throw error;
    return inMemory(messageOf(error));
  }
  const { file, administration, warning } = opened;
  if (warning !== undefined) log.error(warning);
  const obstacle = await file.trial();
  if (obstacle !== undefined) {
    const reason = `Cannot keep orders in ${path}: ${obstacle}`;
    const isEmpty = administration.backends.size === 0 && administration.denials.size === 0;
    if (isNamed || isEmpty) file[Symbol.dispose]();
    if (isNamed) throw new Error(reason);
    if (isEmpty) return inMemory(reason);
    log.error(`${reason}: what is ordered from now on is refused`);
  }
  return { store: file, administration };
}
