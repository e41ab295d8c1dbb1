// Reads the PROXY header with which a client begins, before anything else is done for it. A read gives what
// there is: what has come behind the header is kept, and goes to the backend first.

import {
  COMPLETE,
  HEADER_TIMEOUT_MS,
  MALFORMED,
  ProxyHeaderReader,
} from "../../core/proxy_protocol/header_reader.ts";
import { closeOnAbort } from "../../core/serving/close_on_abort.ts";
import type { Clock } from "../../core/timing/clock.ts";
import { withDeadline } from "../../core/timing/with_deadline.ts";
import type { Address } from "../../core/values/address.ts";

/** More than any header without unusual type-length-values has. */
const FIRST_READ_BYTES = 512;

export interface HeaderRead {
  /** Where the client comes from, and where it went; absent: what the connection says. */
  readonly told?: { readonly source: Address; readonly destination: Address };
  /** What came behind the header. */
  readonly rest: Uint8Array<ArrayBuffer>;
}

/**
 * Reads a header.
 * @param signal closes the connection.
 * @returns undefined when none came in time, or one that is malformed.
 */
export function readHeader(
  conn: Deno.Conn,
  clock: Clock,
  signal: AbortSignal,
): Promise<HeaderRead | undefined> {
  return withDeadline(clock, HEADER_TIMEOUT_MS, async (signal) => {
    using _interrupt = closeOnAbort(signal, conn);
    try {
      return await readUntilWhole(conn);
    } catch {
      // Reset, or closed at the deadline.
      return undefined;
    }
  }, signal);
}

async function readUntilWhole(conn: Deno.Conn): Promise<HeaderRead | undefined> {
  const header = new ProxyHeaderReader();
  let bytes = new Uint8Array(FIRST_READ_BYTES);
  let count = 0;
  for (;;) {
    const more = await conn.read(bytes.subarray(count));
    if (more === null) return undefined;
    count += more;
    const verdict = header.read(bytes, count);
    if (verdict === MALFORMED) return undefined;
    if (verdict === COMPLETE) break;
    if (count < bytes.length) continue;
    // A long header says how long it is in its beginning.
    const grown = new Uint8Array(header.length);
    grown.set(bytes);
    bytes = grown;
  }
  const { source, destination } = header;
  const rest = bytes.slice(header.length, count);
  if (source.count === 0) return { rest };
  return { rest, told: { source: source.toAddress(), destination: destination.toAddress() } };
}
