// Reads the PROXY header, version 1 or 2, with which a connection begins (HAProxy's proxy-protocol.txt,
// sections 2.1 and 2.2). Strict: nothing is taken for a header that the text does not allow.
//
// `!` on typed-array reads: indices are below the count of bytes that have come.

import { crc32c } from "./crc32c.ts";
import { readDecimal, readIpv4Text, readIpv6Text } from "./ip_text.ts";
import { ProxyEndpoint, V2_FIXED, V2_START } from "./proxy_endpoint.ts";

/** Most bytes of a header: as many as HAProxy's buffer takes (tune.bufsize). */
export const MOST_HEADER_BYTES = 16_384;
/**
 * How long a header may take. The text asks for three seconds at least, so that a lost segment can be sent
 * again.
 */
export const HEADER_TIMEOUT_MS = 5000;

/** The bytes begin like a header, more must come. */
export const INCOMPLETE = 0;
/** The header is whole. */
export const COMPLETE = 1;
/** These bytes are no header, whatever comes after them. */
export const MALFORMED = 2;

const SPACE = 32;
const CR = 13;
const LF = 10;
const V1_START = ascii("PROXY ");
const TCP4 = ascii("TCP4 ");
const TCP6 = ascii("TCP6 ");
const UNKNOWN = ascii("UNKNOWN");
/** Most bytes of a version 1 header, with its CR and LF. */
const V1_MOST = 107;

const LOCAL = 0;
const PROXY = 1;
const FAMILY_INET = 1;
const FAMILY_INET6 = 2;
const STREAM = 1;
/** Bytes of both addresses by family: unspecified, IPv4, IPv6, unix. */
const ADDRESS_BYTES = [0, 12, 36, 216];
const MOST_PROTOCOL = 2;
const TLV_FIXED = 3;
const TLV_CRC32C = 3;

/** Reads one header after the other into the same endpoints. */
export class ProxyHeaderReader {
  /** Where the client comes from; without an address when the header tells none: then the connection's counts. */
  readonly source = new ProxyEndpoint();
  /** Where the client went. */
  readonly destination = new ProxyEndpoint();
  /** Bytes of the whole header; 0 while that is not known. */
  length = 0;

  /**
   * Looks at the first `count` bytes of a connection.
   * @returns INCOMPLETE, COMPLETE or MALFORMED.
   */
  read(bytes: Uint8Array, count: number): number {
    this.length = 0;
    this.source.clear();
    this.destination.clear();
    if (count === 0) return INCOMPLETE;
    if (bytes[0] === V1_START[0]) return this.#readV1(bytes, count);
    return this.#readV2(bytes, count);
  }

  #readV1(bytes: Uint8Array, count: number): number {
    if (!agrees(bytes, count, V1_START)) return MALFORMED;
    const most = Math.min(count, V1_MOST);
    let end = V1_START.length;
    while (end < most && bytes[end] !== CR) end++;
    // The last place where a CR leaves room for its LF.
    if (end >= V1_MOST - 1) return MALFORMED;
    if (end + 1 >= most) return INCOMPLETE;
    if (bytes[end + 1] !== LF || !this.#readLine(bytes, end)) return MALFORMED;
    this.length = end + 2;
    return COMPLETE;
  }

  /** Reads what stands between "PROXY " and the CR at `end`. */
  #readLine(bytes: Uint8Array, end: number): boolean {
    const at = V1_START.length;
    if (begins(bytes, at, end, UNKNOWN)) {
      const behind = at + UNKNOWN.length;
      return behind === end || bytes[behind] === SPACE;
    }
    const isIpv4 = begins(bytes, at, end, TCP4);
    if (!isIpv4 && !begins(bytes, at, end, TCP6)) return false;
    const first = at + TCP4.length;
    const second = wordEnd(bytes, first, end) + 1;
    const third = wordEnd(bytes, second, end) + 1;
    const fourth = wordEnd(bytes, third, end) + 1;
    // A port that began behind the line's end is empty.
    const sourcePort = readDecimal(bytes, third, Math.min(fourth - 1, end), 65_535);
    const destinationPort = readDecimal(bytes, fourth, end, 65_535);
    if (sourcePort < 0 || destinationPort < 0) return false;
    const { source, destination } = this;
    const read = isIpv4 ? readIpv4Text : readIpv6Text;
    if (!read(bytes, first, second - 1, source.words)) return false;
    if (!read(bytes, second, third - 1, destination.words)) return false;
    this.#set(isIpv4, sourcePort, destinationPort);
    return true;
  }

  #readV2(bytes: Uint8Array, count: number): number {
    if (!agrees(bytes, count, V2_START)) return MALFORMED;
    if (count > 12 && (bytes[12]! >>> 4 !== 2 || (bytes[12]! & 15) > PROXY)) return MALFORMED;
    if (count < V2_FIXED) return INCOMPLETE;
    const length = V2_FIXED + (bytes[14]! << 8 | bytes[15]!);
    if (length > MOST_HEADER_BYTES) return MALFORMED;
    this.length = length;
    // Nothing else of it counts, the family neither.
    if ((bytes[12]! & 15) === LOCAL) return count < length ? INCOMPLETE : COMPLETE;
    const family = bytes[13]! >>> 4;
    const protocol = bytes[13]! & 15;
    const addressBytes = ADDRESS_BYTES[family];
    if (addressBytes === undefined || protocol > MOST_PROTOCOL) return MALFORMED;
    if (length < V2_FIXED + addressBytes) return MALFORMED;
    if (count < length) return INCOMPLETE;
    // What stands behind an unspecified family is not said to be anything.
    if (family > 0 && !hasSoundVectors(bytes, V2_FIXED + addressBytes, length)) return MALFORMED;
    if (protocol !== STREAM) return COMPLETE;
    if (family === FAMILY_INET) this.#readV2Addresses(bytes, 1);
    else if (family === FAMILY_INET6) this.#readV2Addresses(bytes, 4);
    return COMPLETE;
  }

  #readV2Addresses(bytes: Uint8Array, words: 1 | 4): void {
    const destinationAt = V2_FIXED + 4 * words;
    const portsAt = V2_FIXED + 8 * words;
    for (let word = 0; word < words; word++) {
      this.source.words[word] = wordAt(bytes, V2_FIXED + 4 * word);
      this.destination.words[word] = wordAt(bytes, destinationAt + 4 * word);
    }
    const ports = wordAt(bytes, portsAt);
    this.#set(words === 1, ports >>> 16, ports & 0xffff);
  }

  #set(isIpv4: boolean, sourcePort: number, destinationPort: number): void {
    this.source.port = sourcePort;
    this.destination.port = destinationPort;
    if (isIpv4) this.source.count = this.destination.count = 1;
    else {
      this.source.setIpv6();
      this.destination.setIpv6();
    }
  }
}

/** Whether type-length-values fill [from, to), and a checksum among them is the header's. */
function hasSoundVectors(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to;) {
    if (to - at < TLV_FIXED) return false;
    const valueAt = at + TLV_FIXED;
    const next = valueAt + (bytes[at + 1]! << 8 | bytes[at + 2]!);
    if (next > to) return false;
    if (bytes[at] === TLV_CRC32C) {
      if (next !== valueAt + 4) return false;
      if (wordAt(bytes, valueAt) !== crc32c(bytes, to, valueAt)) return false;
    }
    at = next;
  }
  return true;
}

/** Four bytes in network order. */
function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0;
}

/** Where the next space stands, or `end`. */
function wordEnd(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && bytes[at] !== SPACE) at++;
  return at;
}

/** Whether the first `count` bytes begin with the text, or are its beginning. */
function agrees(bytes: Uint8Array, count: number, text: Uint8Array): boolean {
  return begins(bytes, 0, count, text, Math.min(count, text.length));
}

/** Whether the bytes of [at, end) begin with the text. */
function begins(
  bytes: Uint8Array,
  at: number,
  end: number,
  text: Uint8Array,
  length = text.length,
): boolean {
  if (end - at < length) return false;
  for (let i = 0; i < length; i++) {
    if (bytes[at + i] !== text[i]) return false;
  }
  return true;
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
