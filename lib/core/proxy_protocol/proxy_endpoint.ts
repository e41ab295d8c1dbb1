// What reader and writer of PROXY headers share: the versions, and one end of a connection as a header names
// it, an IP address in words and a port. Filled anew for each connection, so that nothing is allocated.
//
// `!` on typed-array reads: there are always four words.

import { type Address, isIpv6 } from "../values/address.ts";
import { formatIp, IPV4_WORDS, IPV6_WORDS, readIp } from "../values/ip.ts";

/** Versions of the PROXY protocol, as lb.conf names them. */
export const PROXY_VERSIONS = ["v1", "v2"] as const;
export type ProxyVersion = typeof PROXY_VERSIONS[number];

/** The signature of version 2. */
export const V2_START = new Uint8Array([13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]);
/** Of version 2: signature, version and command, family and protocol, length of the rest. */
export const V2_FIXED = 16;

/** The third word of an IPv4-mapped IPv6 address, ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2). */
const MAPPED = 0xffff;

export class ProxyEndpoint {
  /** The address, its most significant word first; of IPv4 the first word alone counts. */
  readonly words = new Uint32Array(IPV6_WORDS);
  /** Words of the address: 1, or 4; 0 when it has none, as on a unix socket. */
  count: 0 | 1 | 4 = 0;
  port = 0;

  clear(): void {
    this.count = 0;
    this.port = 0;
  }

  /** Says that `words` holds an IPv6 address; IPv4 in IPv6 becomes IPv4, as everywhere. */
  setIpv6(): void {
    const { words } = this;
    this.count = IPV6_WORDS;
    if (words[0] !== 0 || words[1] !== 0 || words[2] !== MAPPED) return;
    words[0] = words[3]!;
    this.count = IPV4_WORDS;
  }

  /** Word `index` of the address as IPv6 has it, IPv4 as IPv4-mapped. */
  ipv6Word(index: number): number {
    if (this.count === IPV6_WORDS) return this.words[index]!;
    return index === 3 ? this.words[0]! : index === 2 ? MAPPED : 0;
  }

  /** Takes an address as it stands in logs; a zone is left out. */
  setAddress(address: Address): void {
    this.clear();
    if (address.transport === "unix") return;
    this.port = address.port;
    this.count = readIp(address.host, this.words);
    if (isIpv6(address.host)) this.setIpv6();
  }

  /** The address as it stands in logs. */
  toAddress(): Address {
    if (this.count === 0) return { transport: "unix", path: "" };
    return {
      transport: "tcp",
      host: formatIp(this.words.subarray(0, this.count)),
      port: this.port,
    };
  }
}
