// Where the admin socket is when nobody says: a place that the server can make and the client can guess.

import { folderOf, removeStale } from "./listen.ts";

/** The places in order of preference, for this user. */
export function socketCandidates(uid: number | null, runtimeDir: string | undefined): string[] {
  const places = ["/run/compute-lb"];
  if (runtimeDir !== undefined && runtimeDir.startsWith("/")) {
    places.push(`${runtimeDir}/compute-lb`);
  }
  places.push(`/tmp/compute-lb-${uid ?? "user"}`);
  return places.map((place) => `${place}/admin.sock`);
}

/** The place of a service that root starts. */
const [SERVICE_SOCKET = ""] = socketCandidates(0, undefined);

/**
 * Makes, as root, the folder of the service's own socket for the user that the process is about to become.
 * One that a run as root has left is handed over, unless that still runs. One of another user is left as
 * it is: its owner was chosen when it was made.
 */
export async function makeServiceFolder(
  uid: number,
  gid: number,
  socket = SERVICE_SOCKET,
): Promise<void> {
  const folder = folderOf(socket);
  try {
    await Deno.mkdir(folder, { mode: 0o750 });
  } catch {
    try {
      const { isDirectory, uid: owner } = await Deno.lstat(folder);
      if (!isDirectory || owner !== 0) return;
      await removeStale(socket);
    } catch {
      return;
    }
  }
  await Deno.chown(folder, uid, gid);
}

/**
 * Makes the folder of a socket, private to this user.
 * @returns false when it cannot be made, or belongs to somebody else and must not be trusted.
 */
export async function prepareFolder(socket: string, uid: number | null): Promise<boolean> {
  const folder = folderOf(socket);
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o750 });
    const info = await Deno.lstat(folder);
    if (!info.isDirectory) return false;
    const ours = info.uid === uid || info.uid === null;
    const othersMayWrite = ((info.mode ?? 0) & 0o002) !== 0;
    if (folder.startsWith("/tmp/") && (!ours || othersMayWrite)) return false;
    const trial = `${folder}/.trial-${crypto.randomUUID()}`;
    await Deno.writeTextFile(trial, "");
    await Deno.remove(trial);
    return true;
  } catch {
    return false;
  }
}
