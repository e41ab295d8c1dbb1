// Where `status` looks for the balancer's admin socket: where it is told to, else where the usual
// configuration file says, else in the usual places.

import { socketCandidates } from "../admin/socket_path.ts";
import { formatConfigErrors } from "../config/config_error.ts";
import { DEFAULT_FILE, readCommandConfig } from "./config_source.ts";
import { EXIT_CONFIG, EXIT_FAILURE } from "./exit_code.ts";

export interface PlacesCommand {
  /** The file that names the admin socket. */
  readonly configFile?: string;
  readonly adminSocket?: string;
}

export type Places =
  | {
    readonly ok: true;
    /** In the order in which they are asked; the first one that answers counts. */
    readonly sockets: readonly string[];
    /** The one that a flag or a file names. */
    readonly named?: string;
    /** To be told even if all goes well. */
    readonly warning?: string;
  }
  | { readonly ok: false; readonly message: string; readonly exitCode: number };

/** Finds out which sockets to ask. @param defaultFile read when the command says nothing. */
export async function placesToAsk(
  { configFile, adminSocket }: PlacesCommand,
  defaultFile: string = DEFAULT_FILE,
): Promise<Places> {
  if (adminSocket !== undefined) return { ok: true, sockets: [adminSocket], named: adminSocket };
  const usual = socketCandidates(Deno.uid(), Deno.env.get("XDG_RUNTIME_DIR"));
  const file = configFile ?? defaultFile;
  if (configFile === undefined && !await isReadable(file)) return { ok: true, sockets: usual };
  const read = await readCommandConfig({ configFile: file, overrides: {} });
  if (read.kind !== "config") {
    const message = read.kind === "usage"
      ? read.message
      : formatConfigErrors(read.errors).trimEnd();
    if (configFile !== undefined) return { ok: false, message, exitCode: EXIT_CONFIG };
    // The balancer that runs may have been started before the file was spoilt.
    return { ok: true, sockets: usual, warning: `${message}\nAsking in the usual places instead` };
  }
  const { socket } = read.config.admin;
  if (socket === "off" && configFile !== undefined) {
    const message =
      `Cannot ask the balancer of ${file}: it has no admin socket (admin.socket: off)`;
    return { ok: false, message, exitCode: EXIT_FAILURE };
  }
  if (typeof socket === "string") return { ok: true, sockets: usual };
  const others = configFile === undefined ? usual : [];
  return { ok: true, sockets: [socket.path, ...others], named: socket.path };
}

async function isReadable(path: string): Promise<boolean> {
  try {
    (await Deno.open(path)).close();
    return true;
  } catch {
    return false;
  }
}
