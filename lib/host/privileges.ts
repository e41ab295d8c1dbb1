// Gives root up after the sockets are bound.

import { cString, openLibc } from "./libc.ts";

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/**
 * Looks a user up by name or number, by getpwnam(3) and getpwuid(3), so that NIS and LDAP count.
 * @throws {Error} when there is no such user, or no glibc to ask.
 */
export function findUser(name: string): User {
  const libc = openLibc();
  if (libc === undefined) throw new Error(`Cannot become user "${name}": there is no glibc to ask`);
  const entry = /^\d+$/.test(name) ? libc.getpwuid(Number(name)) : libc.getpwnam(cString(name));
  if (entry === null) throw new Error(`Cannot become user "${name}": there is no such user`);
  // struct passwd: name, passwd (pointers), uid, gid (32 bits each), gecos, dir, shell (pointers).
  const view = new Deno.UnsafePointerView(entry);
  const home = view.getPointer(32);
  const login = view.getPointer(0);
  return {
    name: login === null ? name : new Deno.UnsafePointerView(login).getCString(),
    uid: view.getUint32(16),
    gid: view.getUint32(20),
    home: home === null ? "/" : new Deno.UnsafePointerView(home).getCString(),
  };
}

/** So many groups of a user are asked for. */
const MOST_GROUPS = 65_536;

/**
 * Tells whether a user may read a file, as far as owners, groups and modes tell: the file itself or a
 * folder above that is in the way comes back, or "" where it is not there; undefined: it can be read.
 */
export async function findUnreadable(user: User, file: string): Promise<string | undefined> {
  const groups = new Uint32Array(MOST_GROUPS);
  const count = new Int32Array([MOST_GROUPS]);
  openLibc()?.getgrouplist(cString(user.name), user.gid, groups, count);
  const member = new Set([user.gid, ...groups.subarray(0, count[0])]);
  try {
    const path = await Deno.realPath(file);
    const above = [...path.matchAll(/\//g)].map(({ index }) => path.slice(0, index) || "/");
    for (const place of [...above, path]) {
      const { uid, gid, mode } = await Deno.stat(place);
      const wanted = place === path ? 0o4 : 0o1;
      const shift = uid === user.uid ? 6 : gid !== null && member.has(gid) ? 3 : 0;
      if (user.uid !== 0 && (((mode ?? 0) >> shift) & wanted) === 0) return place;
    }
  } catch {
    return "";
  }
  return undefined;
}

/**
 * Becomes that user for good: groups, group, user, in this order. glibc's wrappers change every thread.
 * @throws {Error} when any step fails; the process must not go on then.
 */
export function becomeUser(user: User): void {
  if (Deno.uid() === user.uid) return;
  const libc = openLibc();
  const done = libc !== undefined &&
    libc.initgroups(cString(user.name), user.gid) === 0 &&
    libc.setgid(user.gid) === 0 &&
    libc.setuid(user.uid) === 0;
  if (!done || Deno.uid() !== user.uid) {
    throw new Error(`Cannot become user "${user.name}": not permitted, start as root`);
  }
  Deno.env.set("HOME", user.home);
  Deno.env.set("USER", user.name);
  Deno.env.set("LOGNAME", user.name);
}
