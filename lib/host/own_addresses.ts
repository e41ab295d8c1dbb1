// The addresses of this machine.

import { canonicalHost } from "../core/ip.ts";

/** Every address that an interface has now, in canonical form. */
export function ownAddresses(): ReadonlySet<string> {
  return new Set(Deno.networkInterfaces().map(({ address }) => canonicalHost(address)));
}
