// Whether every address of a configuration can be listened on, and its recording written: tried for a
// moment, all at once, and let go. What the running balancer holds itself is no fault.

import { askAdmin, isTrustedSocket } from "../admin/client.ts";
import { isStatusReport, type StatusReport } from "../admin/report.ts";
import { folderOf } from "../admin/listen.ts";
import { socketCandidates } from "../admin/socket_path.ts";
import { RECORD_BEGINNING } from "../record/record_format.ts";
import type { Config } from "../config/config.ts";
import { type Address, formatAddress, parseListenAddress } from "../core/values/address.ts";
import { classify, listenHint, messageOf } from "../core/values/errors.ts";
import { findUser } from "../host/privileges.ts";
import { AppendFile } from "../log/append_file.ts";
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
  /** One for each address of admin.http. */
  readonly http: readonly Trial[];
  /** Undefined where no socket is named. */
  readonly admin: Trial | undefined;
}

/** Tries every frontend's addresses, those of admin.http and the admin socket that the configuration names. */
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
    const http: Trial[] = [];
    for (const address of config.admin.http) http.push(await attempt(address));
    return { frontends, http, admin: await tryAdminSocket(config, running, attempt) };
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
  const folder = folderOf(socket.path);
  if (!trial.well || await mayWrite(user, folder)) return trial;
  return { what, well: false, text: `user ${user} cannot make files in ${folder}` };
}

/** Whether the user that root becomes before files are made may write to a file or folder. */
async function mayWrite(user: string | undefined, path: string): Promise<boolean> {
  if (user === undefined || Deno.uid() !== 0) return true;
  const { uid, gid } = findUser(user);
  const { mode, uid: owner, gid: group } = await Deno.stat(path);
  const writable = uid === owner ? 0o200 : gid === group ? 0o020 : 0o002;
  return uid === 0 || ((mode ?? 0) & writable) !== 0;
}

/** Tries the recording that the configuration names: without it, the balancer does not start. */
export async function tryRecording({ log: { record }, user }: Config): Promise<Trial | undefined> {
  if (record === undefined) return undefined;
  const trial = (well: boolean, text: string) => ({ what: record, well, text });
  try {
    await AppendFile.tryOpening(record, RECORD_BEGINNING);
    const isThere = await Deno.stat(record).then(() => true, () => false);
    const place = isThere ? record : folderOf(record);
    if (await mayWrite(user, place)) return trial(true, "can be recorded to");
    return trial(false, `user ${user} cannot write to ${place}`);
  } catch (error) {
    return trial(false, `Cannot record to it: ${messageOf(error)}`);
  }
}

/** What keeps the file of orders from being kept where the configuration names it; none: nothing does. */
export async function tryState({ admin: { state }, user }: Config): Promise<Trial[]> {
  if (typeof state === "string") return [];
  const { path } = state;
  const folder = folderOf(path);
  const exists = (place: string) => Deno.stat(place).then(() => true, () => false);
  // The start makes one folder.
  const place = await exists(folder) ? folder : folderOf(folder);
  const fault = (text: string) => [{ what: path, well: false, text: `${text} (admin.state)` }];
  if (!await exists(place)) return fault(`there is no folder ${folder}`);
  if (place !== folder || await mayWrite(user, folder)) return [];
  return fault(`user ${user} cannot make files in ${folder}`);
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
  const isHeld = [...config.frontends.flatMap(({ listen }) => listen), ...config.admin.http]
    .some((address) => isHeldBy(running, address));
  return isHeld ? `: ${describeHolder(running)}` : "";
}

function describeHolder(running: Running | undefined): string {
  return `the running balancer listens there, pid ${running?.report.pid}`;
}

/** Whether the running balancer listens there, or where it is in the way. */
function isHeldBy(running: Running | undefined, address: Address): boolean {
  const { frontends = [], adminHttp = [] } = running?.report ?? {};
  return [...frontends.flatMap(({ listen }) => listen), ...adminHttp].some((text) => {
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
