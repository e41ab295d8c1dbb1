// A set of addresses, as a table in shared memory: the control plane compiles it, the engines look up.

import type { Network } from "../values/network.ts";
import { LocationTable } from "./location_table.ts";

/** The number of those in the set; what no rule names is 0. */
const MEMBER = 1;

const EVERYBODY: readonly Network[] = [
  { words: [0], prefix: 0 },
  { words: [0, 0, 0, 0], prefix: 0 },
];

export class NetworkSet {
  readonly #table: LocationTable;

  /** Looks into a set that was compiled, perhaps by another thread. */
  constructor(buffer: SharedArrayBuffer) {
    this.#table = new LocationTable(buffer);
  }

  /** All addresses of some networks. */
  static of(networks: readonly Network[]): NetworkSet {
    return compile([[networks, MEMBER]]);
  }

  /** All addresses but those of some networks; those of `members` are in it nevertheless. */
  static allBut(networks: readonly Network[], members: readonly Network[]): NetworkSet {
    return compile([[members, MEMBER], [networks, 0], [EVERYBODY, MEMBER]]);
  }

  /** What engines pass to their workers. */
  get buffer(): SharedArrayBuffer {
    return this.#table.buffer;
  }

  /** Whether an address of 1 or 4 words is in it, the most significant first. */
  has(address: Uint32Array, words: 1 | 4): boolean {
    return this.#table.find(address, words) === MEMBER;
  }

  /** The same of an IP literal; any other text is in no network. */
  hasHost(host: string): boolean {
    return this.#table.findHost(host) === MEMBER;
  }
}

/** The first network in which an address is decides. */
function compile(rules: readonly (readonly [readonly Network[], number])[]): NetworkSet {
  const { buffer } = LocationTable.compile(
    rules.map(([networks, pool]) => ({ networks, countries: [], pool })),
  );
  return new NetworkSet(buffer);
}
