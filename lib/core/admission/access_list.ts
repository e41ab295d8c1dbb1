// Who may come in by address: the networks that a frontend allows and denies, as the set of addresses that they
// keep out.

import { NetworkSet } from "../location/network_set.ts";
import type { Network } from "../values/network.ts";

/** Lists of networks. */
export interface AccessLists {
  /** Who may come in; undefined: everybody. */
  readonly allow?: readonly Network[] | undefined;
  /** Who may not, whatever `allow` says: how specific a network is does not matter. */
  readonly deny: readonly Network[];
}

/** Makes the set of those who may not come in; undefined when two lists let everybody in. */
export function compileAccess({ allow, deny }: AccessLists): NetworkSet | undefined {
  if (allow !== undefined) return NetworkSet.allBut(allow, deny);
  return deny.length === 0 ? undefined : NetworkSet.of(deny);
}

/** Whether one of these sets denies an address of 1 or 4 words, the most significant first. */
export function isDenied(
  sets: readonly NetworkSet[],
  address: Uint32Array,
  words: 1 | 4,
): boolean {
  for (let i = 0; i < sets.length; i++) {
    if (sets[i]?.has(address, words)) return true;
  }
  return false;
}
