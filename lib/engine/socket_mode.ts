// Who may connect to a unix socket: the mode of its file.

import type { Address } from "../core/values/address.ts";
import { messageOf } from "../core/values/errors.ts";

/**
 * Runs what binds a unix socket, so that its file has this mode. Undefined: as the umask has it.
 *
 * The kernel gives such a file 0777 without the bits of the umask (bind(2)), so with the umask set it has
 * its mode from its first instant on, before anybody could connect. A chmod afterwards would come too late
 * for that, and a symbolic link could lead it elsewhere. The umask is that of the whole process: what
 * `bind` does must be done when it returns, and what another thread makes meanwhile has it as well.
 */
export function bindWithMode<T>(mode: number | undefined, bind: () => T): T {
  if (mode === undefined) return bind();
  const before = Deno.umask(0o777 & ~mode);
  try {
    return bind();
  } finally {
    Deno.umask(before);
  }
}

/**
 * Gives a socket that listens already the mode that a reload wants for it, if that is another one than
 * before; undefined, and an address without a file: changes nothing.
 * @throws {Error} when the file is not ours to change, or no socket any more.
 */
export function adjustMode(
  bound: Address,
  before: number | undefined,
  wanted: number | undefined,
): void {
  if (bound.transport === "unix" && wanted !== undefined && wanted !== before) {
    changeMode(bound.path, wanted);
  }
}

function changeMode(path: string, mode: number): void {
  const text = mode.toString(8).padStart(4, "0");
  const cannot = `Cannot give "unix:${path}" the mode ${text}`;
  try {
    // A file that somebody else has put in its place is left alone.
    if (Deno.lstatSync(path).isSocket === true) {
      Deno.chmodSync(path, mode);
      return;
    }
  } catch (error) {
    throw new Error(`${cannot}: ${messageOf(error)}`, { cause: error });
  }
  throw new Error(`${cannot}: there is a file that is no socket`);
}
