// PROXY headers as a proxy of the test's own would send them, and as a backend of its own would read them.

import { NetworkSet } from "../../lib/core/location/network_set.ts";
import { ipv6Groups } from "../../lib/core/values/ip.ts";
import { parseNetwork } from "../../lib/core/values/network.ts";
import type { ProxyVersion } from "../../lib/core/proxy_protocol/proxy_endpoint.ts";
import { readExactly } from "./bytes.ts";

export const V2_SIGNATURE = "0d0a0d0a000d0a515549540a";

/** One end of a connection. */
export type End = readonly [host: string, port: number];

/** The bytes of a text, one for each character. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** The header of a connection between ends of one family. */
export function proxyHeader(
  version: ProxyVersion,
  source: End,
  destination: End,
  vectors = "",
): Uint8Array<ArrayBuffer> {
  const isIpv6 = source[0].includes(":");
  if (version === "v1") {
    const hosts = `${source[0]} ${destination[0]}`;
    const ports = `${source[1]} ${destination[1]}`;
    return bytesOf(`PROXY ${isIpv6 ? "TCP6" : "TCP4"} ${hosts} ${ports}\r\n`);
  }
  const ends = [source, destination];
  const rest = ends.map(([host]) => hostInHex(host)).join("") +
    ends.map(([, port]) => hex(port, 4)).join("") + vectors;
  return Uint8Array.fromHex(
    V2_SIGNATURE + (isIpv6 ? "2121" : "2111") + hex(rest.length / 2, 4) + rest,
  );
}

/** The set of some networks. */
export function networksOf(...texts: readonly string[]): NetworkSet {
  return NetworkSet.of(texts.map((text) => {
    const network = parseNetwork(text);
    if (!network.ok) throw new Error(network.message);
    return network.value;
  }));
}

/** Reads a header that comes first on a connection, byte for byte; text as it is, version 2 in hexadecimal. */
export async function readProxyHeader(conn: Deno.Conn, version: ProxyVersion): Promise<string> {
  if (version === "v2") {
    const start = await readExactly(conn, 16);
    const rest = await readExactly(conn, new DataView(start.buffer).getUint16(14));
    return start.toHex() + rest.toHex();
  }
  let line = "";
  while (!line.endsWith("\n")) {
    line += String.fromCharCode(...await readExactly(conn, 1));
    if (line.length > 107) throw new Error(`Not a PROXY header: ${line}`);
  }
  return line;
}

function hostInHex(host: string): string {
  if (host.includes(":")) return ipv6Groups(host).map((group) => hex(group, 4)).join("");
  return host.split(".").map((part) => hex(Number(part), 2)).join("");
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
