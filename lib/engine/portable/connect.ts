// One attempt to connect to one address, within a deadline.

import type { Address } from "../../core/values/address.ts";

/**
 * @param address undefined: the backend's name does not resolve.
 * @param signal gives up at once when it is aborted.
 * @throws {DOMException} TimeoutError at the deadline, AbortError when aborted, or the system's own error.
 */
export async function connect(
  address: Address | undefined,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Deno.Conn> {
  if (address === undefined) throw new Unresolved("its name does not resolve");
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

/** The backend has no address. */
class Unresolved extends Error {
  /** As classify() reads it. */
  readonly code = "ENOTFOUND";
}
