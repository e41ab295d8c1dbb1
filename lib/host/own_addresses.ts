// The addresses of this machine.

import { canonicalHost } from "../core/values/ip.ts";

/**
 * Every address that an interface has now, in canonical form; none where the system does not tell (out of
 * descriptors, no netlink socket).
 */
export function ownAddresses(): ReadonlySet<string> {
  try {
    return new Set(Deno.networkInterfaces().map(({ address }) => canonicalHost(address)));
  } catch {
    return new Set();
  }
}
