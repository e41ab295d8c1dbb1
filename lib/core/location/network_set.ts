// A set of networks, as a table in shared memory: the control plane compiles it, the engines look up.

import type { Network } from "../values/network.ts";
import { LocationTable } from "./location_table.ts";

/** The number of those in the set; what no rule names is 0. */
const MEMBER = 1;

export class NetworkSet {
  readonly #table: LocationTable;

  /** Looks into a set that was compiled, perhaps by another thread. */
  constructor(buffer: SharedArrayBuffer) {
    this.#table = new LocationTable(buffer);
  }

  static of(networks: readonly Network[]): NetworkSet {
    const { buffer } = LocationTable.compile([{ networks, countries: [], pool: MEMBER }]);
    return new NetworkSet(buffer);
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
