// Writes the PROXY header with which a connection to a backend begins (HAProxy's proxy-protocol.txt), in the
// words that HAProxy chooses: a client without an IP address is UNKNOWN (v1) or LOCAL (v2), as are our own
// connections; of two families, IPv4 goes as IPv4-mapped IPv6.
//
// `!` on typed-array reads: there are always four words.

import { formatIp } from "../values/ip.ts";
import { LineBytes } from "../values/line_bytes.ts";
import { ProxyEndpoint, type ProxyVersion, V2_FIXED, V2_START } from "./proxy_endpoint.ts";

const DOT = 46;
/** Room for any header that is written here: the longest is 107 bytes of text. */
const MOST_WRITTEN_BYTES = 128;

const LOCAL = 0x20;
const PROXY = 0x21;
const UNSPECIFIED = 0;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;

/** Writes one header after the other into the same bytes. */
export class ProxyHeaderWriter {
  /** The header that was written last stands at its beginning. */
  readonly bytes = new Uint8Array(MOST_WRITTEN_BYTES);
  /** Where the client comes from, and where it went: filled in by the caller. */
  readonly source = new ProxyEndpoint();
  readonly destination = new ProxyEndpoint();
  readonly #view = new DataView(this.bytes.buffer);
  readonly #line = new LineBytes(MOST_WRITTEN_BYTES);

  /** Writes the header of a client's connection. @returns its length. */
  write(version: ProxyVersion): number {
    const { source, destination } = this;
    if (source.count === 0 || destination.count === 0) return this.writeLocal(version);
    const isIpv4 = source.count === 1 && destination.count === 1;
    return version === "v1" ? this.#writeV1(isIpv4) : this.#writeV2(isIpv4);
  }

  /** Writes the header of a connection that is on nobody's behalf, such as a probe. @returns its length. */
  writeLocal(version: ProxyVersion): number {
    if (version === "v2") return this.#writeV2Start(LOCAL, UNSPECIFIED, 0);
    this.#line.clear();
    this.#line.text("PROXY UNKNOWN\r\n");
    return this.#line.copyTo(this.bytes);
  }

  #writeV1(isIpv4: boolean): number {
    const line = this.#line;
    line.clear();
    line.text(isIpv4 ? "PROXY TCP4 " : "PROXY TCP6 ");
    this.#address(this.source, isIpv4);
    line.text(" ");
    this.#address(this.destination, isIpv4);
    line.text(" ");
    line.integer(this.source.port);
    line.text(" ");
    line.integer(this.destination.port);
    line.text("\r\n");
    return line.copyTo(this.bytes);
  }

  #address(endpoint: ProxyEndpoint, isIpv4: boolean): void {
    const line = this.#line;
    if (!isIpv4) {
      line.text(formatIp([0, 1, 2, 3].map((index) => endpoint.ipv6Word(index))));
      return;
    }
    const word = endpoint.words[0]!;
    for (let shift = 24; shift >= 0; shift -= 8) {
      if (shift < 24) line.char(DOT);
      line.integer((word >>> shift) & 255);
    }
  }

  #writeV2(isIpv4: boolean): number {
    const view = this.#view;
    const { source, destination } = this;
    const words = isIpv4 ? 1 : 4;
    const family = isIpv4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6;
    const length = this.#writeV2Start(PROXY, family, 8 * words + 4);
    for (let i = 0; i < words; i++) {
      const at = V2_FIXED + 4 * i;
      view.setUint32(at, isIpv4 ? source.words[0]! : source.ipv6Word(i));
      view.setUint32(at + 4 * words, isIpv4 ? destination.words[0]! : destination.ipv6Word(i));
    }
    view.setUint16(length - 4, source.port);
    view.setUint16(length - 2, destination.port);
    return length;
  }

  /** @returns the length of the whole header, `rest` bytes of which are still to be written. */
  #writeV2Start(command: number, family: number, rest: number): number {
    this.bytes.set(V2_START);
    this.bytes[12] = command;
    this.bytes[13] = family;
    this.#view.setUint16(14, rest);
    return V2_FIXED + rest;
  }
}

/** The header with which connections begin that are on nobody's behalf, such as probes. */
export function localHeader(version: ProxyVersion): Uint8Array<ArrayBuffer> {
  const writer = new ProxyHeaderWriter();
  return writer.bytes.slice(0, writer.writeLocal(version));
}
