// Keeps what the kernel holds back for those who do not read small.

import { openLibc } from "./libc.ts";

/** On x86-64 and arm64 (asm-generic/socket.h). */
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_ACCEPTCONN = 30;

/** The start binds its sockets before it opens much else. */
const MOST_DESCRIPTORS = 4096;

/**
 * Sets how many bytes the kernel keeps for each connection of this process that its sockets accept from now on
 * (socket(7); it takes twice as much, and at least some 4 KiB). Without glibc nothing happens: the kernel lets
 * TCP have some megabytes then.
 *
 * Deno tells no socket's descriptor, so all descriptors of the process are looked at.
 */
export function limitSendBuffers(bytes: number): void {
  const libc = openLibc();
  if (libc === undefined) return;
  const value = new Int32Array(1);
  const size = Uint32Array.of(value.byteLength);
  for (let fd = 0; fd < MOST_DESCRIPTORS; fd++) {
    value[0] = 0;
    const failed = libc.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, value, size) !== 0;
    if (failed || value[0] === 0) continue;
    value[0] = bytes;
    libc.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, value, value.byteLength);
  }
}
