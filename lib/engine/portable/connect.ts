// Connects to a backend within a deadline.

import type { Address } from "../../core/address.ts";

/**
 * Connects to the first address that answers. Several addresses share the time.
 * @param timeoutMs for all addresses together; spent in equal parts.
 * @throws {DOMException} TimeoutError at the deadline, or the last address's own error.
 */
export async function connect(
  addresses: readonly Address[],
  timeoutMs: number,
): Promise<Deno.Conn> {
  let last: unknown = new DOMException("Cannot connect: name does not resolve", "NotFoundError");
  for (const address of addresses) {
    try {
      return await connectOne(address, timeoutMs / addresses.length);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

async function connectOne(address: Address, timeoutMs: number): Promise<Deno.Conn> {
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new DOMException("Connection timed out", "TimeoutError")),
    timeoutMs,
  );
  try {
    if (address.transport === "unix") {
      return await Deno.connect({ transport: "unix", path: address.path });
    }
    const conn = await Deno.connect({
      hostname: address.host,
      port: address.port,
      signal: deadline.signal,
    });
    conn.setNoDelay(true);
    conn.setKeepAlive(true);
    return conn;
  } finally {
    clearTimeout(timer);
  }
}
