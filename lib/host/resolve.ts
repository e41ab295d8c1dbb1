// Looks host names up the way the system does (getaddrinfo: /etc/hosts, NIS, DNS).

import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import { type Address, isIpv4, isIpv6 } from "../core/values/address.ts";
import { messageOf } from "../core/values/errors.ts";
import { failure, type Result, success } from "../core/values/result.ts";

/**
 * Look-ups at a time. Each holds one of the 32 threads on which Deno also reads and writes files, until
 * the system gives up: with silent name servers, long after we did.
 */
const MOST_AT_ONCE = 24;

/** By name; also those that nobody waits for any more. */
const underWay = new Map<string, Promise<LookupAddress[]>>();
/** Resolved when the next look-up ends. */
let ended = Promise.withResolvers<void>();

/** What needs no look-up: literals and unix sockets. */
export function alreadyResolved(address: Address): boolean {
  return address.transport === "unix" || isIpv4(address.host) || isIpv6(address.host);
}

/**
 * Resolves an address to literals, in the system's order of preference, each once. The system's own
 * deadline is long (resolv.conf(5): often 15 s), so the signal's counts.
 */
export async function resolve(
  address: Address,
  signal: AbortSignal,
): Promise<Result<readonly Address[]>> {
  if (address.transport === "unix" || alreadyResolved(address)) return success([address]);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    while (!underWay.has(address.host) && underWay.size >= MOST_AT_ONCE) {
      await Promise.race([ended.promise, late]);
    }
    const found = await Promise.race([lookUp(address.host), late]);
    const hosts = [...new Set(found.map((entry) => entry.address))];
    return success(hosts.map((host) => ({ transport: "tcp", host, port: address.port })));
  } catch (error) {
    const reason = signal.aborted ? "no answer in time" : reasonOf(error);
    return failure(`name "${address.host}" does not resolve: ${reason}`);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Asks the system; shares the answer with whoever asks for the name meanwhile. */
function lookUp(host: string): Promise<LookupAddress[]> {
  const found = underWay.get(host) ??
    lookup(host, { all: true, order: "verbatim" }).finally(() => {
      underWay.delete(host);
      ended.resolve();
      ended = Promise.withResolvers();
    });
  underWay.set(host, found);
  return found;
}

/** What getaddrinfo says, where it has a code for it. */
function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOTFOUND") return "there is no such name";
  if (code === "EAI_AGAIN") return "no name server answers";
  return messageOf(error);
}
