// Writes all of some bytes, as write(2) need not.

import { closeQuietly } from "./accept_loop.ts";
import { closeOnAbort } from "./close_on_abort.ts";

interface Connection {
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/**
 * Writes every byte, in one segment if there is room for it.
 * @throws what the connection throws, or the signal's reason when it is aborted; the connection is closed then.
 */
export async function writeAll(
  conn: Connection,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  using _interrupt = closeOnAbort(signal, conn);
  try {
    for (let written = 0; written < bytes.length;) {
      written += await conn.write(bytes.subarray(written));
    }
  } catch (error) {
    closeQuietly(conn);
    throw signal.aborted ? signal.reason : error;
  }
}
