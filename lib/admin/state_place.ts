// Where the orders of administrators are kept when nobody says, and how that folder comes to be.

import { folderOf } from "./listen.ts";

const FILE = "state.json";
/** The folder of the service, which install.sh makes. */
const SERVICE_FOLDER = "/var/lib/compute-lb";

/** What the place depends on. */
export interface Surroundings {
  /** The variable of systemd.exec(5): folders, separated by colons. */
  readonly stateDirectory: string | undefined;
  /** Whether the configuration is the service's own file. */
  readonly isService: boolean;
}

/**
 * The place for this process; undefined: none. Only the service has the service's: two balancers with
 * configurations of their own must not find each other's orders.
 */
export function statePlace({ stateDirectory, isService }: Surroundings): string | undefined {
  const [folder = ""] = stateDirectory?.split(":") ?? [];
  if (folder.startsWith("/")) return `${folder}/${FILE}`;
  return isService ? `${SERVICE_FOLDER}/${FILE}` : undefined;
}

/** Makes the folder of a state file, private to the user who will write there, unless it is there. */
export async function prepareStateFolder(
  path: string,
  owner?: { readonly uid: number; readonly gid: number },
): Promise<void> {
  const folder = folderOf(path);
  try {
    await Deno.mkdir(folder, { mode: 0o750 });
    if (owner !== undefined) await Deno.chown(folder, owner.uid, owner.gid);
  } catch {
    // It is there, or whoever opens the file says why it cannot be.
  }
}
