// Which pool a client goes to by its address, as a table in shared memory: disjoint ranges of addresses
// with the number of a pool for each. The control plane compiles it from rules, the engines look up.
//
//   2 words: how many ranges of IPv4, of IPv6 | starts of IPv4 | starts of IPv6 | pools, 16 bits each

import { AddressSpans, lowestOf, renumber, spansOf, UNCLAIMED } from "./address_spans.ts";
import { IPV4_WORDS, IPV6_WORDS, readIp } from "../values/ip.ts";
import type { Network } from "../values/network.ts";

/** Where the clients of a frontend go. */
export interface Location {
  readonly table: LocationTable;
  /** Pools by their number in the table; 0 is the frontend's own. */
  readonly pools: readonly string[];
}

/** Networks and countries, and the number of the pool that their clients go to. */
export interface LocationRule {
  readonly networks: readonly Network[];
  /** Codes of countries, as in {@linkcode CountrySpans}. */
  readonly countries: readonly string[];
  readonly pool: number;
}

/** The countries of addresses: the spans' numbers are indexes of `codes`. */
export interface CountrySpans {
  readonly codes: readonly string[];
  readonly ipv4: AddressSpans;
  readonly ipv6: AddressSpans;
}

const HEADER_WORDS = 2;

export class LocationTable {
  /** What engines pass to their workers. */
  readonly buffer: SharedArrayBuffer;
  readonly #ipv4: AddressSpans;
  readonly #ipv6: AddressSpans;
  readonly #address = new Uint32Array(IPV6_WORDS);

  /** Looks into a table that was compiled, perhaps by another thread. */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    const [ipv4 = 0, ipv6 = 0] = new Uint32Array(buffer, 0, HEADER_WORDS);
    let at = 4 * HEADER_WORDS;
    const starts = (words: number) => {
      const part = new Uint32Array(buffer, at, words);
      at += part.byteLength;
      return part;
    };
    const [startsOf4, startsOf6] = [starts(ipv4 * IPV4_WORDS), starts(ipv6 * IPV6_WORDS)];
    const numbers = new Uint16Array(buffer, at, ipv4 + ipv6);
    this.#ipv4 = new AddressSpans(IPV4_WORDS, startsOf4, numbers.subarray(0, ipv4));
    this.#ipv6 = new AddressSpans(IPV6_WORDS, startsOf6, numbers.subarray(ipv4));
  }

  /**
   * Compiles rules, the first of which counts where several hold; where none does, it is pool 0.
   * @param countries where each country's addresses are; those it does not list match nobody.
   */
  static compile(rules: readonly LocationRule[], countries?: CountrySpans): LocationTable {
    const ruleOf = countries?.codes.map((code) => {
      const rule = rules.findIndex((one) => one.countries.includes(code));
      return rule < 0 ? UNCLAIMED : rule;
    });
    const compiled = ([[IPV4_WORDS, countries?.ipv4], [IPV6_WORDS, countries?.ipv6]] as const)
      .map(([width, byCountry]) => {
        const claims = rules.flatMap(({ networks }, number) =>
          networks.filter(({ words }) => words.length === width)
            .map((network) => ({ network, number }))
        );
        const byNetwork = spansOf(claims, width);
        return renumber(
          byCountry === undefined || ruleOf === undefined
            ? byNetwork
            : lowestOf(byNetwork, renumber(byCountry, (code) => ruleOf[code] ?? UNCLAIMED)),
          (rule) => rules[rule]?.pool ?? 0,
        );
      });
    return new LocationTable(share(compiled));
  }

  /** How many ranges there are, of both families. */
  get size(): number {
    return this.#ipv4.numbers.length + this.#ipv6.numbers.length;
  }

  /** The number of the pool for an address of 1 or 4 words, the most significant first. */
  find(address: Uint32Array, words: 1 | 4): number {
    return words === IPV4_WORDS ? this.#ipv4.find(address) : this.#ipv6.find(address);
  }

  /** The number of the pool for an IP literal; 0 for any other text. */
  findHost(host: string): number {
    const words = readIp(host, this.#address);
    return words === 0 ? 0 : this.find(this.#address, words);
  }
}

function share(parts: readonly AddressSpans[]): SharedArrayBuffer {
  const bytes = parts.reduce(
    (sum, { starts, numbers }) => sum + starts.byteLength + numbers.byteLength,
    4 * HEADER_WORDS,
  );
  const buffer = new SharedArrayBuffer(bytes);
  new Uint32Array(buffer, 0, HEADER_WORDS).set(parts.map(({ numbers }) => numbers.length));
  let at = 4 * HEADER_WORDS;
  for (const { starts } of parts) {
    new Uint32Array(buffer, at, starts.length).set(starts);
    at += starts.byteLength;
  }
  for (const { numbers } of parts) {
    new Uint16Array(buffer, at, numbers.length).set(numbers);
    at += numbers.byteLength;
  }
  return buffer;
}
