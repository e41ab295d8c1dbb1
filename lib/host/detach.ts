// A process in the background has no terminal to read from or to write to.

import { cString, openLibc } from "./libc.ts";

const O_RDWR = 2;

/** Points stdin, stdout and stderr to /dev/null; without glibc, they stay as they are. */
export function leaveTerminal(): void {
  const libc = openLibc();
  const nothing = libc?.open(cString("/dev/null"), O_RDWR) ?? -1;
  if (libc === undefined || nothing < 0) return;
  for (const standard of [0, 1, 2]) libc.dup2(nothing, standard);
  if (nothing > 2) libc.close(nothing);
}
