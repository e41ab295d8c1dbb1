// Countries from a MaxMind DB file (format 2.0, maxmind.github.io/MaxMind-DB), such as GeoLite2-Country.
// The one importer of mmdb-lib, which reads metadata and records; the tree is walked here, once and
// whole, since the library looks up single addresses only. No file, however damaged, hangs or throws.

import { Buffer } from "node:buffer";
import { Reader, type Response } from "mmdb-lib";
import { type AddressSpans, SpansBuilder, UNCLAIMED } from "../core/location/address_spans.ts";
import { messageOf } from "../core/values/errors.ts";
import { formatIp, IPV4_WORDS, IPV6_WORDS } from "../core/values/ip.ts";
import type { CountrySpans } from "../core/location/location_table.ts";
import { failure, type Result, success } from "../core/values/result.ts";

/** What a database says of some countries. */
export interface Countries extends CountrySpans {
  /** Those of the codes that no address has. */
  readonly absent: readonly string[];
}

/** Where records have the country, in this order: of the address itself, of its owner, flat. */
const COUNTRY_KEYS: readonly (readonly string[])[] = [
  ["country", "iso_code"],
  ["registered_country", "iso_code"],
  ["country_code"],
];

/** Zero bytes between the tree and the records. */
const SEPARATOR_BYTES = 16;
/** IPv4 stands in the tree of IPv6 at ::/96; up to four aliases lead to it, too. */
const IPV4_DEPTH = 96;
const MOST_VISITS_PER_NODE = 8;

/**
 * Finds the addresses of some countries (ISO 3166-1 codes).
 * @returns the reason in lower case where the file is no such database, is damaged or knows no country.
 */
export function readCountries(file: Uint8Array, codes: readonly string[]): Result<Countries> {
  try {
    return new Walk(file, codes).run();
  } catch (error) {
    // Whatever the library makes of a damaged file, a stack that ran over included.
    return failure(`it is no MaxMind DB file, or a damaged one (${messageOf(error)})`);
  }
}

class Walk {
  readonly #file: Uint8Array;
  readonly #codes: readonly string[];
  readonly #reader: Reader<Response>;
  readonly #metadata: Reader<Response>["metadata"];
  /** Numbers of countries by record. */
  readonly #numbers = new Map<number, number>();
  readonly #address = new Uint32Array(IPV6_WORDS);
  #visitsLeft: number;
  #knowsCountries = false;

  constructor(file: Uint8Array, codes: readonly string[]) {
    this.#file = file;
    this.#codes = codes;
    const buffer = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
    // With a cache, what many records point to is read once, however they are entangled.
    this.#reader = new Reader(buffer, { cache: new Map<string | number, unknown>() });
    this.#metadata = this.#reader.metadata;
    this.#visitsLeft = MOST_VISITS_PER_NODE * this.#metadata.nodeCount;
  }

  run(): Result<Countries> {
    const { ipVersion, nodeCount, searchTreeSize, databaseType } = this.#metadata;
    const isComplete = Number.isSafeInteger(nodeCount) && nodeCount > 0 &&
      searchTreeSize + SEPARATOR_BYTES <= this.#file.length;
    if (!isComplete || (ipVersion !== 4 && ipVersion !== 6)) {
      throw new Error("its metadata does not fit the rest");
    }
    const spans = (root: number, width: number) => {
      const builder = new SpansBuilder(width);
      this.#address.fill(0);
      this.#visit(root, 0, builder);
      return builder.build();
    };
    const ipv4 = spans(ipVersion === 4 ? 0 : this.#ipv4Root(), IPV4_WORDS);
    const ipv6 = ipVersion === 4 ? new SpansBuilder(IPV6_WORDS).build() : spans(0, IPV6_WORDS);
    if (!this.#knowsCountries) {
      return failure(`it knows no countries (its type is "${databaseType}")`);
    }
    const found = new Set([...numbersIn(ipv4), ...numbersIn(ipv6)]);
    const absent = this.#codes.filter((_, number) => !found.has(number));
    return success({ codes: this.#codes, ipv4, ipv6, absent });
  }

  #ipv4Root(): number {
    let node = 0;
    for (let depth = 0; depth < IPV4_DEPTH && node < this.#metadata.nodeCount; depth++) {
      node = this.#child(node, 0);
    }
    return node;
  }

  /** Adds what lies below a node, in the order of addresses; `#address` is the lowest of them. */
  #visit(node: number, depth: number, builder: SpansBuilder): void {
    const { nodeCount } = this.#metadata;
    if (node >= nodeCount) {
      const number = node === nodeCount ? UNCLAIMED : this.#numberOf(node, builder.width);
      builder.add(this.#address, 0, number);
      return;
    }
    if (depth === 32 * builder.width || this.#visitsLeft-- === 0) {
      throw new Error("its tree has no end");
    }
    this.#visit(this.#child(node, 0), depth + 1, builder);
    const word = depth >>> 5;
    const bit = 1 << (31 - (depth & 31));
    // `!`: there are as many words as the depth allows.
    this.#address[word]! |= bit;
    this.#visit(this.#child(node, 1), depth + 1, builder);
    this.#address[word]! &= ~bit;
  }

  /** Reads one side of a node: 24, 28 or 32 bits, big-endian; of 28, four bits stand in the middle byte. */
  #child(node: number, side: 0 | 1): number {
    const { recordSize, nodeByteSize } = this.#metadata;
    const file = this.#file;
    const at = node * nodeByteSize;
    // `!`: run() has seen that the file holds the whole tree.
    if (recordSize === 28) {
      const middle = file[at + 3]!;
      const from = at + 4 * side;
      const high = side === 0 ? middle >>> 4 : middle & 15;
      return high << 24 | file[from]! << 16 | file[from + 1]! << 8 | file[from + 2]!;
    }
    const bytes = nodeByteSize / 2;
    const from = at + bytes * side;
    const low = file[from]! << 16 | file[from + 1]! << 8 | file[from + 2]!;
    return bytes === 3 ? low : low * 256 + file[from + 3]!;
  }

  /** The number of the country that a record names. The library finds it by the address at hand. */
  #numberOf(record: number, width: number): number {
    const known = this.#numbers.get(record);
    if (known !== undefined) return known;
    const { nodeCount, searchTreeSize } = this.#metadata;
    const offset = record - nodeCount - SEPARATOR_BYTES;
    if (offset < 0 || searchTreeSize + SEPARATOR_BYTES + offset >= this.#file.length) {
      throw new Error("a record lies outside of it");
    }
    const code = countryIn(this.#reader.get(formatIp(this.#address.subarray(0, width))));
    this.#knowsCountries ||= code !== undefined;
    const index = code === undefined ? -1 : this.#codes.indexOf(code);
    const number = index < 0 ? UNCLAIMED : index;
    this.#numbers.set(record, number);
    return number;
  }
}

function countryIn(record: unknown): string | undefined {
  for (const keys of COUNTRY_KEYS) {
    const value = keys.reduce(memberOf, record);
    if (typeof value === "string") return value;
  }
  return undefined;
}

function memberOf(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return Reflect.get(value, key);
}

function numbersIn(spans: AddressSpans): Set<number> {
  return new Set(spans.numbers);
}
