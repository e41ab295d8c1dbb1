// Who may come in by address: the networks that a frontend allows and denies, as one table of ranges.

import { LocationTable } from "../location/location_table.ts";
import type { Network } from "../values/network.ts";

/** What a table says of an address. */
export const ALLOWED = 0;
export const DENIED = 1;

const EVERYBODY: readonly Network[] = [
  { words: [0], prefix: 0 },
  { words: [0, 0, 0, 0], prefix: 0 },
];

/** Lists of networks. */
export interface AccessLists {
  /** Who may come in; undefined: everybody. */
  readonly allow?: readonly Network[] | undefined;
  /** Who may not, whatever `allow` says: how specific a network is does not matter. */
  readonly deny: readonly Network[];
}

/** Makes the table of two lists; undefined when they let everybody in. */
export function compileAccess({ allow, deny }: AccessLists): LocationTable | undefined {
  if (allow === undefined && deny.length === 0) return undefined;
  const rule = (networks: readonly Network[], pool: number) => ({ networks, countries: [], pool });
  const rest = allow === undefined ? [] : [rule(allow, ALLOWED), rule(EVERYBODY, DENIED)];
  return LocationTable.compile([rule(deny, DENIED), ...rest]);
}

/** Whether one of these tables denies an address of 1 or 4 words, the most significant first. */
export function isDenied(
  tables: readonly LocationTable[],
  address: Uint32Array,
  words: 1 | 4,
): boolean {
  for (let i = 0; i < tables.length; i++) {
    if (tables[i]?.find(address, words) === DENIED) return true;
  }
  return false;
}
