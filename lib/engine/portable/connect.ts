// One attempt to connect to one address, within a deadline.

import { writeAll } from "../../core/serving/write_all.ts";
import type { Clock } from "../../core/timing/clock.ts";
import { withDeadline } from "../../core/timing/with_deadline.ts";
import type { Address } from "../../core/values/address.ts";

/**
 * @param address undefined: the backend's name does not resolve.
 * @param header sent first, within the same deadline.
 * @param signal gives up at once when it is aborted.
 * @throws {DOMException} TimeoutError at the deadline, AbortError when aborted, or the system's own error.
 */
export async function connect(
  clock: Clock,
  address: Address | undefined,
  timeoutMs: number,
  signal: AbortSignal,
  header: Uint8Array,
): Promise<Deno.Conn> {
  if (address === undefined) throw new Unresolved("its name does not resolve");
  const attempt = async (signal: AbortSignal) => {
    signal.throwIfAborted();
    const conn = address.transport === "unix"
      ? await Deno.connect({ transport: "unix", path: address.path })
      : await Deno.connect({ hostname: address.host, port: address.port, signal });
    tune(conn);
    if (header.length > 0) await writeAll(conn, header, signal);
    return conn;
  };
  const late = () => new DOMException("Connection timed out", "TimeoutError");
  return await withDeadline(clock, timeoutMs, attempt, signal, late);
}

/** No Nagle: a keystroke must not wait for the answer to the one before it. */
export function tune(conn: Deno.TcpConn | Deno.UnixConn): void {
  if (!("setNoDelay" in conn)) return;
  try {
    conn.setNoDelay(true);
    conn.setKeepAlive(true);
  } catch {
    // Reset already; the relay will find out.
  }
}

/** The backend has no address. */
class Unresolved extends Error {
  /** As classify() reads it. */
  readonly code = "ENOTFOUND";
}
