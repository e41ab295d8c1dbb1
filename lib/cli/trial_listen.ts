// Whether every address of a configuration can be listened on: tried for a moment, all at once, and let
// go. What the running balancer holds itself is no fault.

import { askAdmin, isTrustedSocket } from "../admin/client.ts";
import { isStatusReport, type StatusReport } from "../admin/report.ts";
import { socketCandidates } from "../admin/socket_path.ts";
import type { Config } from "../config/config.ts";
import { type Address, formatAddress, parseListenAddress } from "../core/address.ts";
import { classify, listenHint, messageOf } from "../core/errors.ts";
import { findUser } from "../host/privileges.ts";
import { listen } from "./echo.ts";

/** What came of one trial. */
export interface Trial {
  /** What was tried: an address, or a backend. */
  readonly what: string;
  readonly well: boolean;
  readonly text: string;
}

export interface ListenTrials {
  /** One for each address of each frontend, by its name. */
  readonly frontends: ReadonlyMap<string, readonly Trial[]>;
  /** Undefined where no socket is named. */
  readonly admin: Trial | undefined;
}

/** Tries every frontend's addresses and the admin socket that the configuration names. */
export async function tryListening(config: Config): Promise<ListenTrials> {
  const running = await askRunning(config);
  const held: Deno.Listener[] = [];
  const attempt = async (address: Address): Promise<Trial> => {
    const what = formatAddress(address);
    if (address.transport === "unix" && isHeldBy(running, address)) {
      return { what, well: true, text: describeHolder(running) };
    }
    try {
      held.push(await listen(address));
      return { what, well: true, text: "can be listened on" };
    } catch (error) {
      const isOwn = classify(error) === "address_in_use" && isHeldBy(running, address);
      return isOwn
        ? { what, well: true, text: describeHolder(running) }
        : { what, well: false, text: messageOf(error) + listenHint(error, address) };
    }
  };
  try {
    const frontends = new Map<string, Trial[]>();
    for (const { name, listen: addresses } of config.frontends) {
      const trials: Trial[] = [];
      for (const address of addresses) trials.push(await attempt(address));
      frontends.set(name, trials);
    }
    return { frontends, admin: await tryAdminSocket(config, running, attempt) };
  } finally {
    for (const listener of held) {
      listener.close();
      const { addr } = listener;
      if (addr.transport === "unix") await Deno.remove(addr.path).catch(() => {});
    }
  }
}

async function tryAdminSocket(
  { admin: { socket }, user }: Config,
  running: Running | undefined,
  attempt: (address: Address) => Promise<Trial>,
): Promise<Trial | undefined> {
  if (typeof socket === "string") return undefined;
  const what = `unix:${socket.path}`;
  if (running?.socket === socket.path) {
    return { what, well: true, text: describeHolder(running) };
  }
  const trial = await attempt({ transport: "unix", path: socket.path });
  // It is made when root has been given up.
  if (!trial.well || user === undefined || Deno.uid() !== 0) return trial;
  const folder = socket.path.slice(0, socket.path.lastIndexOf("/")) || "/";
  const { name, uid, gid } = findUser(user);
  const { mode, uid: owner, gid: group } = await Deno.stat(folder);
  const writable = uid === owner ? 0o200 : gid === group ? 0o020 : 0o002;
  if (uid === 0 || ((mode ?? 0) & writable) !== 0) return trial;
  return { what, well: false, text: `user ${name} cannot make files in ${folder}` };
}

interface Running {
  readonly report: StatusReport;
  readonly socket: string;
}

/** Asks the balancer of this configuration, if it runs. */
async function askRunning({ admin: { socket } }: Config): Promise<Running | undefined> {
  const sockets = typeof socket !== "string"
    ? [socket.path]
    : socketCandidates(Deno.uid(), Deno.env.get("XDG_RUNTIME_DIR"));
  for (const path of sockets) {
    if (typeof socket === "string" && !await isTrustedSocket(path, Deno.uid())) continue;
    const answer = await askAdmin(path, "/v1/status");
    if (answer.ok && isStatusReport(answer.value)) return { report: answer.value, socket: path };
  }
  return undefined;
}

/** Who is in the way of a start that failed, if that is a balancer that can be asked; "" otherwise. */
export async function describeRival(config: Config, error: unknown): Promise<string> {
  if (!/address (already )?in use/i.test(messageOf(error))) return "";
  const running = await askRunning(config);
  const isHeld = config.frontends.some(({ listen }) =>
    listen.some((address) => isHeldBy(running, address))
  );
  return isHeld ? `: ${describeHolder(running)}` : "";
}

function describeHolder(running: Running | undefined): string {
  return `the running balancer listens there, pid ${running?.report.pid}`;
}

/** Whether the running balancer listens there, or where it is in the way. */
function isHeldBy(running: Running | undefined, address: Address): boolean {
  const addresses = running?.report.frontends.flatMap((frontend) => frontend.listen) ?? [];
  return addresses.some((text) => {
    const held = parseListenAddress(text);
    if (!held.ok || held.value.transport !== address.transport) return false;
    if (held.value.transport === "unix" || address.transport === "unix") {
      return formatAddress(held.value) === formatAddress(address);
    }
    const isEverywhere = [held.value.host, address.host].some((host) =>
      ["", "::", "0.0.0.0"].includes(host)
    );
    return held.value.port === address.port && (isEverywhere || held.value.host === address.host);
  });
}
