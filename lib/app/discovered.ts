// What a pool's backends become with those that discovery sources name. Pure.

import { completeAddress, withDefaults } from "../config/build.ts";
import type { BackendConfig, PoolConfig } from "../config/config.ts";
import { describeLoop } from "../config/loops.ts";
import { type Address, formatAddress } from "../core/values/address.ts";
import { canonicalAddress } from "../core/values/ip.ts";
import type { DiscoveredBackend } from "../discovery/discovery_source.ts";

/** What a pool has with the lists of its sources, and what of them is left out. */
export interface Merged {
  readonly backends: readonly BackendConfig[];
  /** Why, one sentence for each. */
  readonly leftOut: readonly string[];
}

/**
 * Merges lists into the backends that the file names, which come first; then those of each list. The same
 * address is one backend: the figures of the first list that names it count, over those of the file.
 * @param port of backends that name none; undefined: it cannot be told.
 * @param frontendAt the frontend of this balancer that is reached at an address; undefined: none.
 */
export function mergeDiscovered(
  { backends, backendDefaults }: PoolConfig,
  lists: readonly (readonly DiscoveredBackend[])[],
  port: number | undefined,
  frontendAt: (address: Address) => string | undefined,
): Merged {
  const merged = new Map<string, BackendConfig>();
  for (const backend of backends) {
    merged.set(formatAddress(canonicalAddress(backend.address)), backend);
  }
  const seen = new Set<string>();
  const leftOut: string[] = [];
  for (const discovered of lists.flat()) {
    const complete = completeAddress(discovered.address, port);
    if (complete === undefined) {
      const name = formatAddress(discovered.address.address).replace(/:1$/, "");
      leftOut.push(`Cannot tell the port of "${name}": its frontends listen on different ports`);
      continue;
    }
    // However a source spells it from list to list, it is the same to orders.
    const address = canonicalAddress(complete);
    const id = formatAddress(address);
    if (seen.has(id)) continue;
    seen.add(id);
    const frontend = frontendAt(address);
    if (frontend !== undefined) {
      leftOut.push(describeLoop(id, frontend));
      continue;
    }
    const { address: _, ...figures } = discovered;
    const configured = merged.get(id);
    merged.set(
      id,
      configured === undefined
        ? { id, address, ...withDefaults(figures, backendDefaults) }
        : { ...configured, ...figures },
    );
  }
  return { backends: [...merged.values()], leftOut };
}
