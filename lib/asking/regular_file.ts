// Files that people name, read whole. They may name anything: a pipe that nobody writes to, a device, a log of
// gigabytes.

import { joinedBytes } from "../core/values/joined_bytes.ts";
import { describeSize } from "../core/values/size.ts";

/**
 * Reads a regular file of at most so many bytes, which may grow while it is read.
 * @param what it is expected to be: "an lb.conf".
 * @throws {Error} saying what it is instead, or the system's own error.
 */
export async function readRegularFile(
  path: string,
  mostBytes: number,
  what: string,
): Promise<Uint8Array<ArrayBuffer>> {
  await expectRegularFile(path);
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  // Its end, however it comes, closes the file.
  for await (const piece of (await Deno.open(path)).readable) {
    bytes += piece.length;
    if (bytes > mostBytes) {
      throw new Error(`it has more than ${describeSize(mostBytes)}: is it ${what}?`);
    }
    pieces.push(piece);
  }
  return joinedBytes(pieces);
}

/** To read a pipe or a device may take for ever, and a second reader misses what the first has used up. */
async function expectRegularFile(path: string): Promise<void> {
  const { isFile, isDirectory, isFifo, isSocket } = await Deno.stat(path);
  if (isFile) return;
  const found = isDirectory
    ? "a directory"
    : isFifo
    ? "a pipe"
    : isSocket
    ? "a socket"
    : "a device";
  throw new Error(`it is ${found}, expected a regular file`);
}
