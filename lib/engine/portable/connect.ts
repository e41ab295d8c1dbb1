// Connects to a backend within a deadline.

import type { Address } from "../../core/values/address.ts";
import type { Clock } from "../../core/timing/clock.ts";
import { classify } from "../../core/values/errors.ts";

/** How soon an attempt is repeated that failed for want of a descriptor or of backlog. */
const WAIT_MS = 20;

/**
 * Connects to the first address that answers. Several addresses share the time. For as long again it
 * waits for a descriptor when none is left: that must not shorten the backend's time.
 * @param timeoutMs for all addresses together; spent in equal parts.
 * @param signal gives up at once when it is aborted.
 * @param outOfDescriptors is told when a wait for a descriptor begins (the first failure) and when it ends.
 * @throws {DOMException} TimeoutError at the deadline, AbortError when aborted, or the last address's
 * own error.
 */
export async function connect(
  addresses: readonly Address[],
  timeoutMs: number,
  signal: AbortSignal,
  clock: Clock,
  outOfDescriptors: DescriptorWait,
): Promise<Deno.Conn> {
  let last: unknown = new DOMException("Cannot connect: name does not resolve", "NotFoundError");
  for (const address of addresses) {
    try {
      return await connectInTime(
        address,
        timeoutMs / addresses.length,
        signal,
        clock,
        outOfDescriptors,
      );
    } catch (error) {
      if (signal.aborted) throw new DOMException("Connecting was given up", "AbortError");
      last = error;
      // Another address would not cure it.
      if (classify(error) === "out_of_descriptors") break;
    }
  }
  throw last;
}

/** What is told of clients that wait for a descriptor. */
export interface DescriptorWait {
  begin(error: unknown): void;
  end(): void;
}

/**
 * Tries an address again while what failed passes: we are short, or the backlog of a unix socket is full,
 * which, unlike that of a TCP one, is told at once.
 */
async function connectInTime(
  address: Address,
  timeoutMs: number,
  signal: AbortSignal,
  clock: Clock,
  outOfDescriptors: DescriptorWait,
): Promise<Deno.Conn> {
  const untilMs = clock.now() + timeoutMs;
  let waitsForDescriptor = false;
  try {
    for (;;) {
      try {
        return await connectOne(address, timeoutMs, signal);
      } catch (error) {
        const short = classify(error) === "out_of_descriptors";
        const passes = short || error instanceof Deno.errors.WouldBlock;
        if (!passes || signal.aborted || clock.now() >= untilMs) throw error;
        if (short && !waitsForDescriptor) outOfDescriptors.begin(error);
        waitsForDescriptor ||= short;
      }
      await clock.sleep(WAIT_MS, signal);
    }
  } finally {
    if (waitsForDescriptor) outOfDescriptors.end();
  }
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
