// Where a client comes from, as numbers: the key by which it is known again (its IPv4 address, or the
// /64 of its IPv6 address: within that, people's machines change their addresses by themselves) and a
// hash of it. Both engines get the same numbers, one from a sockaddr, one from text.

import { type Address, ipv6Groups, isIpv4, isIpv6 } from "./address.ts";

/** A client's address without its port. Filled anew for each client, so that nothing is allocated. */
export class Source {
  /** 4 or 6; 0 for a client on a unix socket, who cannot be known again. */
  family = 0;
  /** The first and the second 32 bits of the key; an IPv4 address is in `low` alone. */
  high = 0;
  low = 0;
  /** A 32-bit hash of the key; 0 without one. */
  hash = 0;

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
    if (address.transport === "unix") this.setUnknown();
    else if (isIpv4(address.host)) this.setIpv4(ipv4Word(address.host));
    else if (isIpv6(address.host)) {
      const groups = ipv6Groups(address.host);
      const word = (index: number) => (groups[index] ?? 0) << 16 | (groups[index + 1] ?? 0);
      const isMapped = word(0) === 0 && word(2) === 0 && word(4) === MAPPED;
      if (isMapped) this.setIpv4(word(6));
      else this.setIpv6(word(0), word(2));
    } else this.setUnknown();
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

function ipv4Word(host: string): number {
  return host.split(".").reduce((word, part) => word << 8 | Number(part), 0);
}

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
