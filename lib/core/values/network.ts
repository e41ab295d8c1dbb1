// Networks as people write them: 192.0.2.0/24, 2001:db8::/32, or a single address.

import { formatIp, IPV6_WORDS, readIp } from "./ip.ts";
import { failure, type Result, success } from "./result.ts";

/** A block of addresses that share their leading bits. */
export interface Network {
  /** Its first address as 32-bit words, the most significant first: 1 for IPv4, 4 for IPv6. */
  readonly words: readonly number[];
  /** How many leading bits are shared: 0 to 32, or to 128. */
  readonly prefix: number;
}

/** ::ffff:0:0/96, where IPv4 stands in IPv6 (RFC 4291 section 2.5.5.2). */
const MAPPED_PREFIX = 96;

/**
 * Reads a network in CIDR notation (RFC 4632), or an address as the network of it alone. Rejected: bits
 * that are set behind the prefix, zones, and IPv4-mapped networks, since such clients count as IPv4.
 */
export function parseNetwork(text: string): Result<Network> {
  const [address = "", prefixText, ...more] = text.split("/");
  const buffer = new Uint32Array(IPV6_WORDS);
  const count = address.includes("%") ? 0 : readIp(address, buffer);
  if (count === 0 || more.length > 0) {
    return failure(
      `Cannot read "${text}" as a network: expected "192.0.2.0/24", "2001:db8::/32" or an address`,
    );
  }
  const words = [...buffer.subarray(0, count)];
  const bits = 32 * count;
  const prefix = prefixText === undefined
    ? bits
    : /^(0|[1-9]\d{0,2})$/.test(prefixText)
    ? Number(prefixText)
    : -1;
  if (prefix < 0 || prefix > bits) {
    return failure(
      `Cannot read "${prefixText}" as the prefix of "${address}": expected 0 to ${bits}`,
    );
  }
  const network = widened({ words, prefix: bits }, prefix);
  if (network.words.some((word, index) => word !== words[index])) {
    return failure(
      `Cannot use "${text}" as a network: bits are set behind the prefix, ` +
        `did you mean "${formatNetwork(network)}"?`,
    );
  }
  const [first, second, third, last = 0] = words;
  if (first === 0 && second === 0 && third === 0xffff && prefix >= MAPPED_PREFIX) {
    const meant = formatNetwork({ words: [last], prefix: prefix - MAPPED_PREFIX });
    return failure(
      `Cannot use "${text}" as a network: such clients count as IPv4, did you mean "${meant}"?`,
    );
  }
  return success(network);
}

/** Writes a network the way {@linkcode parseNetwork} reads it, always with its prefix. */
export function formatNetwork({ words, prefix }: Network): string {
  return `${formatIp(words)}/${prefix}`;
}

/** The network of a shorter prefix, or of the same, that holds all of another one. */
export function widened({ words }: Network, prefix: number): Network {
  return { words: words.map((word, index) => leading(word, prefix - 32 * index)), prefix };
}

/** The first address behind a network, or undefined where the address space ends with it. */
export function behind({ words, prefix }: Network): number[] | undefined {
  const next = [...words];
  // Adds 1 to the last bit of the prefix and carries.
  let step = 2 ** ((32 - prefix % 32) % 32);
  for (let i = Math.ceil(prefix / 32) - 1; i >= 0; i--) {
    const sum = (next[i] ?? 0) + step;
    next[i] = sum >>> 0;
    if (sum < 2 ** 32) return next;
    step = 1;
  }
  return undefined;
}

/** The word with all but its first `count` bits taken away. */
function leading(word: number, count: number): number {
  if (count <= 0) return 0;
  return count >= 32 ? word : (word & -(2 ** (32 - count))) >>> 0;
}
