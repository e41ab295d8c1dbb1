// Connects to a backend within a deadline.

import type { Address } from "../../core/address.ts";

/** How soon a unix socket whose backlog is full is tried again. */
const FULL_MS = 20;

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
      return await connectUnix(address.path, deadline.signal);
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

/** A full backlog passes, unlike a TCP one it is told at once: waits for room, until the signal. */
async function connectUnix(path: string, signal: AbortSignal): Promise<Deno.Conn> {
  for (;;) {
    try {
      return await Deno.connect({ transport: "unix", path });
    } catch (error) {
      if (!(error instanceof Deno.errors.WouldBlock) || signal.aborted) throw error;
    }
    await rest(FULL_MS, signal);
  }
}

/** Waits, at most until the signal. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const wake = () => resolve();
  signal.addEventListener("abort", wake, { once: true });
  await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", wake);
}
