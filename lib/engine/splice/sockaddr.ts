// Addresses as the kernel wants them: struct sockaddr_in, _in6 and _un to and from Address. Pure.

import { type Address, formatAddress, isIpv4, isIpv6 } from "../../core/values/address.ts";
import { ipv6Groups, ipv6Text } from "../../core/values/ip.ts";
import type { LineBytes } from "../../core/values/line_bytes.ts";
import type { Source } from "../../core/pick/source.ts";
import type { ProxyEndpoint } from "../../core/proxy_protocol/proxy_endpoint.ts";
import { AF_INET, AF_INET6, AF_UNIX } from "./libc.ts";

/** sizeof struct sockaddr_un, the largest that is used here. */
export const SOCKADDR_BYTES = 112;
/** Words that hold a sockaddr_in or sockaddr_in6; of a unix address only the family fits. */
export const SOCKADDR_WORDS = 7;

const SOCKADDR_IN_BYTES = 16;
const SOCKADDR_IN6_BYTES = 28;

/** Finds the index of a network interface, 0 when there is none by that name. */
export type InterfaceIndex = (name: string) => number;

/**
 * Writes an address as a sockaddr.
 * @returns the bytes that the kernel is to read, or undefined when the host is no IP literal.
 */
export function encodeSockaddr(
  address: Address,
  interfaceIndex: InterfaceIndex,
): Uint8Array<ArrayBuffer> | undefined {
  const bytes = new Uint8Array(SOCKADDR_BYTES);
  const view = new DataView(bytes.buffer);
  if (address.transport === "unix") {
    view.setUint16(0, AF_UNIX, true);
    const path = new TextEncoder().encode(address.path);
    bytes.set(path, 2);
    return bytes.subarray(0, 2 + path.length + 1);
  }
  if (isIpv4(address.host)) {
    view.setUint16(0, AF_INET, true);
    view.setUint16(2, address.port);
    bytes.set(address.host.split(".").map(Number), 4);
    return bytes.subarray(0, SOCKADDR_IN_BYTES);
  }
  if (!isIpv6(address.host)) return undefined;
  const [literal = "", zone] = address.host.split("%");
  view.setUint16(0, AF_INET6, true);
  view.setUint16(2, address.port);
  ipv6Groups(literal).forEach((group, index) => view.setUint16(8 + 2 * index, group));
  if (zone !== undefined) {
    view.setUint32(24, /^\d+$/.test(zone) ? Number(zone) : interfaceIndex(zone), true);
  }
  return bytes.subarray(0, SOCKADDR_IN6_BYTES);
}

/**
 * Reads a sockaddr. A unix address comes back with its path when `words` hold it, else with "".
 * IPv4 that came through a dual-stack socket (::ffff:a.b.c.d) comes back as IPv4.
 */
export function decodeSockaddr(words: Int32Array, at = 0): Address {
  const first = words[at] ?? 0;
  const family = first & 0xffff;
  const port = (first >>> 24) | ((first >>> 8) & 0xff00);
  if (family === AF_INET) {
    return { transport: "tcp", host: ipv4Text(words[at + 1] ?? 0), port };
  }
  if (family === AF_INET6) {
    if (words[at + 2] === 0 && words[at + 3] === 0 && words[at + 4] === MAPPED) {
      return { transport: "tcp", host: ipv4Text(words[at + 5] ?? 0), port };
    }
    const zone = words[at + 6] ?? 0;
    return { transport: "tcp", host: ipv6TextOf(words, at + 2) + (zone ? `%${zone}` : ""), port };
  }
  return { transport: "unix", path: "" };
}

/** Writes a sockaddr as `formatAddress` writes what {@linkcode decodeSockaddr} makes of it. */
export function putSockaddr(line: LineBytes, words: Int32Array, at: number): void {
  const family = (words[at] ?? 0) & 0xffff;
  const mapped = words[at + 2] === 0 && words[at + 3] === 0 && words[at + 4] === MAPPED;
  if (family === AF_INET) putIpv4(line, words[at + 1] ?? 0);
  else if (family === AF_INET6 && mapped) putIpv4(line, words[at + 5] ?? 0);
  else return line.text(formatAddress(decodeSockaddr(words, at)));
  const first = words[at] ?? 0;
  line.char(COLON);
  line.integer((first >>> 24) | ((first >>> 8) & 0xff00));
}

const DOT = 46;
const COLON = 58;

function putIpv4(line: LineBytes, word: number): void {
  line.integer(word & 255);
  line.char(DOT);
  line.integer((word >>> 8) & 255);
  line.char(DOT);
  line.integer((word >>> 16) & 255);
  line.char(DOT);
  line.integer(word >>> 24);
}

/**
 * Reads the IP address of a sockaddr as {@linkcode decodeSockaddr} understands it, into words of which
 * the first is the most significant.
 * @returns how many words it has: 1 or 4, or 0 for a unix address.
 */
export function readSockaddrIp(words: Int32Array, at: number, ip: Uint32Array): 0 | 1 | 4 {
  const family = (words[at] ?? 0) & 0xffff;
  if (family === AF_INET) {
    ip[0] = swapBytes(words[at + 1] ?? 0);
    return 1;
  }
  if (family !== AF_INET6) return 0;
  if (words[at + 2] === 0 && words[at + 3] === 0 && words[at + 4] === MAPPED) {
    ip[0] = swapBytes(words[at + 5] ?? 0);
    return 1;
  }
  for (let i = 0; i < 4; i++) ip[i] = swapBytes(words[at + 2 + i] ?? 0);
  return 4;
}

/** Reads a sockaddr as {@linkcode decodeSockaddr} understands it; a unix socket has no address. */
export function readEndpoint(words: Int32Array, at: number, endpoint: ProxyEndpoint): void {
  const first = words[at] ?? 0;
  endpoint.count = readSockaddrIp(words, at, endpoint.words);
  endpoint.port = endpoint.count === 0 ? 0 : (first >>> 24) | ((first >>> 8) & 0xff00);
}

/** Writes a sockaddr, of an endpoint that has an address. */
export function writeEndpoint(words: Int32Array, at: number, endpoint: ProxyEndpoint): void {
  const { count, port, words: ip } = endpoint;
  const family = count === 1 ? AF_INET : AF_INET6;
  words.fill(0, at, at + SOCKADDR_WORDS);
  words[at] = family | (port & 0xff00) << 8 | (port & 0xff) << 24;
  const first = at + (count === 1 ? 1 : 2);
  for (let i = 0; i < count; i++) words[first + i] = swapBytes(ip[i] ?? 0);
}

/** From network byte order, read as little-endian. */
function swapBytes(word: number): number {
  return word << 24 | (word & 0xff00) << 8 | (word >>> 8) & 0xff00 | word >>> 24;
}

/** The third word of an IPv4-mapped IPv6 address, bytes 00 00 ff ff (RFC 4291 section 2.5.5.2). */
const MAPPED = 0xffff_0000 | 0;

/** Takes from a sockaddr where a client comes from, for picks. */
export function readSource(words: Int32Array, at: number, source: Source): void {
  const family = (words[at] ?? 0) & 0xffff;
  if (family === AF_INET) source.setIpv4(swapped(words[at + 1] ?? 0));
  else if (family !== AF_INET6) source.setUnknown();
  else if (words[at + 2] === 0 && words[at + 3] === 0 && words[at + 4] === MAPPED) {
    source.setIpv4(swapped(words[at + 5] ?? 0));
  } else source.setIpv6(swapped(words[at + 2] ?? 0), swapped(words[at + 3] ?? 0));
}

/** Network byte order to ours, and back. */
function swapped(word: number): number {
  return word << 24 | (word & 0xff00) << 8 | word >>> 8 & 0xff00 | word >>> 24;
}

/** The texts of IPv4 addresses met lately: few clients and backends make most connections. */
const CACHE_SIZE = 1024;
const cachedWords = new Int32Array(CACHE_SIZE);
const cachedTexts: string[] = new Array<string>(CACHE_SIZE).fill("0.0.0.0");

function ipv4Text(word: number): string {
  // The last two bytes of an address, which come first in the word's upper half, vary most.
  const at = ((word >>> 24) ^ (word >>> 14)) & (CACHE_SIZE - 1);
  if (cachedWords[at] === word) return cachedTexts[at] ?? "";
  const text = `${word & 255}.${(word >>> 8) & 255}.${(word >>> 16) & 255}.${word >>> 24}`;
  cachedWords[at] = word;
  cachedTexts[at] = text;
  return text;
}

function ipv6TextOf(words: Int32Array, at: number): string {
  const groups: number[] = [];
  for (let i = 0; i < 4; i++) {
    const word = words[at + i] ?? 0;
    groups.push((word & 255) << 8 | (word >>> 8) & 255, ((word >>> 8) & 0xff00) | word >>> 24);
  }
  return ipv6Text(groups);
}
