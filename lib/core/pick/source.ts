// Where a client comes from, as numbers: the key by which it is known again (its IPv4 address, or the
// /64 of its IPv6 address: within that, people's machines change their addresses by themselves) and a
// hash of it. Both engines get the same numbers, one from a sockaddr, one from text.

import type { Address } from "../values/address.ts";
import { IPV4_WORDS, IPV6_WORDS, readIp } from "../values/ip.ts";

/** A client's address without its port. Filled anew for each client, so that nothing is allocated. */
export class Source {
  /** 4 or 6; 0 for a client on a unix socket, who cannot be known again. */
  family = 0;
  /** The first and the second 32 bits of the key; an IPv4 address is in `low` alone. */
  high = 0;
  low = 0;
  /** A 32-bit hash of the key; 0 without one. */
  hash = 0;
  readonly #ip = new Uint32Array(IPV6_WORDS);

  setUnknown(): void {
    this.#set(0, 0, 0);
  }

  /** @param address the four bytes, the first in the highest place. */
  setIpv4(address: number): void {
    this.#set(4, 0, address);
  }

  /** Takes the first 64 bits of an IPv6 address, the first byte in the highest place. */
  setIpv6(high: number, low: number): void {
    this.#set(6, high, low);
  }

  /** Takes an address as the portable engine and the logs have it; mapped IPv4 is IPv4. */
  setAddress(address: Address): void {
    if (address.transport === "unix") return this.setUnknown();
    // `!`: readIp has written as many words as it says.
    const ip = this.#ip;
    const words = readIp(address.host, ip);
    if (words === IPV4_WORDS) this.setIpv4(ip[0]!);
    else if (words !== IPV6_WORDS) this.setUnknown();
    else if (ip[0] === 0 && ip[1] === 0 && ip[2] === MAPPED) this.setIpv4(ip[3]!);
    else this.setIpv6(ip[0]!, ip[1]!);
  }

  #set(family: number, high: number, low: number): void {
    this.family = family;
    this.high = high | 0;
    this.low = low | 0;
    this.hash = family === 0 ? 0 : mixWords(mixWords(family, high), low);
  }
}

/** The third word of an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2). */
const MAPPED = 0xffff;

/** Two words into one in which every bit depends on every bit of both; the same everywhere. */
export function mixWords(a: number, b: number): number {
  return finish(Math.imul(finish(a ^ 0x9e37_79b9), 0x85eb_ca6b) + b | 0);
}

/** The finaliser of MurmurHash3 (Austin Appleby, public domain): one to one, every bit mixed. */
function finish(word: number): number {
  let mixed = word;
  mixed = Math.imul(mixed ^ mixed >>> 16, 0x85eb_ca6b);
  mixed = Math.imul(mixed ^ mixed >>> 13, 0xc2b2_ae35);
  return mixed ^ mixed >>> 16;
}

/** What stands for a backend's name in the table: never 0, which stands for none. */
export function identityOf(text: string): number {
  let hash = text.length;
  for (let i = 0; i < text.length; i++) hash = mixWords(hash, text.charCodeAt(i));
  return hash === 0 ? 1 : hash;
}
