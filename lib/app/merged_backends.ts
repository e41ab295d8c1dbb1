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
 * address is one backend: each figure is that of the first list that says it, over the file's.
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
  const named = new Map<string, Omit<DiscoveredBackend, "address">>();
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
    const before = named.get(id);
    const { address: _, ...own } = discovered;
    const figures = { ...own, ...before };
    named.set(id, figures);
    const frontend = frontendAt(address);
    if (frontend !== undefined) {
      if (before === undefined) leftOut.push(describeLoop(id, frontend));
      continue;
    }
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
