// Connects to a backend within a deadline.

import type { Address } from "../../core/address.ts";

/**
 * Connects to the first address that answers. Several addresses share the time.
 * @param timeoutMs for all addresses together; spent in equal parts.
 * @param signal gives up at once when it is aborted.
 * @throws {DOMException} TimeoutError at the deadline, AbortError when aborted, or the last address's
 * own error.
 */
export async function connect(
  addresses: readonly Address[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Deno.Conn> {
  let last: unknown = new DOMException("Cannot connect: name does not resolve", "NotFoundError");
  for (const address of addresses) {
    try {
      return await connectOne(address, timeoutMs / addresses.length, signal);
    } catch (error) {
      if (signal.aborted) throw new DOMException("Connecting was given up", "AbortError");
      last = error;
    }
  }
  throw last;
}

async function connectOne(
  address: Address,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Deno.Conn> {
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new DOMException("Connection timed out", "TimeoutError")),
    timeoutMs,
  );
  const giveUp = () => deadline.abort(signal.reason);
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    signal.throwIfAborted();
    if (address.transport === "unix") {
      return await Deno.connect({ transport: "unix", path: address.path });
    }
    const conn = await Deno.connect({
      hostname: address.host,
      port: address.port,
      signal: deadline.signal,
    });
    try {
      conn.setNoDelay(true);
      conn.setKeepAlive(true);
    } catch {
      // Reset already; the relay will find out.
    }
    return conn;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
  }
}
