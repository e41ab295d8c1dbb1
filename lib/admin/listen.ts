// Binds the admin socket: one process at a path, however many start at once, and clear words where that
// cannot be done.

import type { Clock } from "../core/timing/clock.ts";
import { classify, messageOf } from "../core/values/errors.ts";

/** Another start holds the folder for milliseconds. */
const LOCK_MS = 3000;
const LOCK_STEP_MS = 20;
const NEVER = new AbortController().signal;

/**
 * Listens on a unix socket. A file left behind by a process that died is replaced.
 * @param mode of the file.
 * @throws {Error} when another process listens there, or the path cannot be used.
 */
export async function listenAt(
  path: string,
  clock: Clock,
  mode: number = 0o660,
): Promise<Deno.UnixListener> {
  try {
    // Of two that find the same stale file, the slower one would remove the socket of the other.
    using _folder = await lockFolder(folderOf(path), clock);
    await removeStale(path);
    // Made with its final mode: a chmod afterwards could be led elsewhere by a symbolic link.
    const umask = Deno.umask(0o777 & ~mode);
    try {
      return Deno.listen({ transport: "unix", path });
    } finally {
      Deno.umask(umask);
    }
  } catch (error) {
    const reason = await reasonOf(error, path);
    throw new Error(`Cannot listen on unix:${path}: ${reason}`, { cause: error });
  }
}

/**
 * Removes a socket on which nobody listens.
 * @throws {Deno.errors.AddrInUse} when somebody does, or something else is there.
 */
export async function removeStale(path: string): Promise<void> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return await refuseLink(path);
    if (classify(error) !== "refused") throw error;
    // A connection to an ordinary file is refused as well; that one is not ours to remove.
    if ((await Deno.lstat(path)).isSocket !== true) {
      throw new Deno.errors.AddrInUse("it is no socket");
    }
    await Deno.remove(path);
    return;
  }
  throw new Deno.errors.AddrInUse("another process listens there");
}

export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/**
 * Waits for other starts. Whoever may read the folder can lock it, for as long as they please: who holds it
 * for longer than a start does is none, and is not waited for.
 */
async function lockFolder(folder: string, clock: Clock): Promise<Disposable> {
  const file = await Deno.open(folder, { read: true });
  try {
    for (let leftMs = LOCK_MS; leftMs > 0 && !await file.tryLock(true); leftMs -= LOCK_STEP_MS) {
      await clock.sleep(LOCK_STEP_MS, NEVER);
    }
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** A link that leads nowhere is in the way, and nothing that connects or binds says so. */
async function refuseLink(path: string): Promise<void> {
  let target: string;
  try {
    target = await Deno.readLink(path);
  } catch {
    return;
  }
  throw new Deno.errors.AddrInUse(
    `it is a symbolic link to ${target}, which is not there: type rm ${path}`,
  );
}

async function reasonOf(error: unknown, path: string): Promise<string> {
  const folder = folderOf(path);
  if (error instanceof Deno.errors.NotFound) return `there is no folder ${folder}`;
  if (classify(error) !== "permission_denied") return messageOf(error);
  const [us, owner] = [Deno.uid(), await ownerOf(path)];
  if (owner !== null && owner !== us) {
    return `what is there belongs to uid ${owner}, and this process runs as uid ${us}: ` +
      `end what listens there, then type rm ${path}`;
  }
  const folderOwner = await ownerOf(folder);
  return folderOwner === null || folderOwner === us
    ? `permission denied in ${folder}`
    : `${folder} belongs to uid ${folderOwner}, and this process runs as uid ${us}: ` +
      `type chown ${us} ${folder}`;
}

async function ownerOf(path: string): Promise<number | null> {
  try {
    return (await Deno.lstat(path)).uid;
  } catch {
    return null;
  }
}
