// Addresses as people write them: host:port, [v6]:port, :port, unix:/path. Text in, text out; nothing
// is resolved here.

import { failure, type Result, success } from "./result.ts";

export interface TcpAddress {
  readonly transport: "tcp";
  /** A host name or an IP literal without brackets; "" means every local address. */
  readonly host: string;
  /** 0 to 65535; 0 asks the kernel for a free port and makes sense only to listen on. */
  readonly port: number;
}

export interface UnixAddress {
  readonly transport: "unix";
  readonly path: string;
}

/** Where a frontend listens, a backend is reached, or a client came from. */
export type Address = TcpAddress | UnixAddress;

/** sockaddr_un.sun_path holds 108 bytes with its final NUL (unix(7)). */
const UNIX_PATH_MAX_BYTES = 107;

/** Writes an address the way the parsers read it. */
export function formatAddress(address: Address): string {
  if (address.transport === "unix") return `unix:${address.path}`;
  return `${formatHost(address.host)}:${address.port}`;
}

/** Writes a host the way it stands before a port: IPv6 in brackets. */
export function formatHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** Tells whether two addresses name the same place, letter case of host names aside. */
export function sameAddress(a: Address, b: Address): boolean {
  return formatAddress(a).toLowerCase() === formatAddress(b).toLowerCase() &&
    (a.transport === "tcp" || b.transport === "tcp" || a.path === b.path);
}

/** Turns the IPv4-mapped form that a dual-stack socket reports (::ffff:192.0.2.1) into IPv4. */
export function unmapHost(host: string): string {
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(host) ? host.slice(7) : host;
}

/** Tells whether the text is an IPv4 literal in dotted decimal, each part 0 to 255. */
export function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 &&
    parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255);
}

/** Tells whether the text is an IPv6 literal (RFC 4291 section 2.2), with an optional %zone. */
export function isIpv6(text: string): boolean {
  const zoned = /^([^%]+)(?:%[A-Za-z0-9_.-]+)?$/.exec(text);
  let address = zoned?.[1] ?? "";
  if (!address.includes(":")) return false;
  const tail = address.slice(address.lastIndexOf(":") + 1);
  if (tail.includes(".")) {
    if (!isIpv4(tail)) return false;
    address = address.slice(0, -tail.length) + "0:0";
  }
  const halves = address.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => half === "" ? [] : half.split(":"));
  if (!groups.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return false;
  return halves.length === 2 ? groups.length <= 7 : groups.length === 8;
}

/**
 * Reads an address to listen on: `:22`, `192.0.2.1:22`, `[::1]:22`, `name:22` or `unix:/path`.
 * Port 0 is allowed: the kernel chooses one.
 */
export function parseListenAddress(text: string): Result<Address> {
  if (/^\d+$/.test(text)) {
    return failure(`Cannot read "${text}" as an address to listen on: write ":${text}"`);
  }
  return parseAddress(text, { emptyHost: true, zeroPort: true });
}

/**
 * Reads the address of a backend: `host`, `host:port`, `[v6]:port`, a bare IPv6 literal or
 * `unix:/path`.
 * @param defaultPort taken when the text has no port; without it such a text is rejected.
 */
export function parseBackendAddress(text: string, defaultPort?: number): Result<Address> {
  return parseAddress(
    text,
    defaultPort === undefined ? {} : { defaultPort },
  );
}

interface AddressRules {
  readonly emptyHost?: boolean;
  readonly zeroPort?: boolean;
  readonly defaultPort?: number;
}

const FORMS = 'expected "host:port", "[IPv6]:port" or "unix:/path"';

function parseAddress(text: string, rules: AddressRules): Result<Address> {
  if (text.startsWith("unix:")) return parseUnixPath(text);
  if (text.startsWith("/")) {
    return failure(`Cannot read "${text}" as an address: write "unix:${text}" for a unix socket`);
  }
  const split = splitPort(text);
  if (!split.ok) return split;
  const { host, portText } = split.value;
  if (host === "" && !rules.emptyHost) {
    return failure(`Cannot read "${text}" as an address: host is empty, ${FORMS}`);
  }
  if (host !== "" && !isHost(host)) {
    return failure(`Cannot read "${host}" as a host: expected a name, IPv4 or [IPv6]`);
  }
  if (portText === undefined) {
    if (rules.defaultPort === undefined) {
      return failure(`Cannot read "${text}" as an address: port is missing, ${FORMS}`);
    }
    return success({ transport: "tcp", host, port: rules.defaultPort });
  }
  const lowest = rules.zeroPort ? 0 : 1;
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : -1;
  if (port < lowest || port > 65535) {
    return failure(
      `Cannot read "${portText}" as a port: expected ${lowest} to 65535` +
        (/\s/.test(portText) ? ", and no spaces" : ""),
    );
  }
  return success({ transport: "tcp", host, port });
}

function parseUnixPath(text: string): Result<Address> {
  const path = text.slice("unix:".length);
  if (!path.startsWith("/")) {
    return failure(`Cannot read "${text}" as a unix socket: expected an absolute path`);
  }
  if (/\p{Cc}/u.test(path)) {
    return failure("Cannot read a unix socket's path: it holds a control character");
  }
  const bytes = new TextEncoder().encode(path).length;
  if (bytes > UNIX_PATH_MAX_BYTES) {
    return failure(
      `Cannot use "${path}" as a unix socket: path has ${bytes} bytes, ` +
        `expected at most ${UNIX_PATH_MAX_BYTES}`,
    );
  }
  return success({ transport: "unix", path });
}

function splitPort(text: string): Result<{ host: string; portText: string | undefined }> {
  if (text.startsWith("[")) {
    const match = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
    if (match === null) return failure(`Cannot read "${text}" as an address: ${FORMS}`);
    const host = match[1] ?? "";
    if (!isIpv6(host)) return failure(`Cannot read "${host}" as an IPv6 address`);
    return success({ host, portText: match[2] });
  }
  const first = text.indexOf(":");
  if (first === -1) return success({ host: text, portText: undefined });
  if (first === text.lastIndexOf(":")) {
    return success({ host: text.slice(0, first), portText: text.slice(first + 1) });
  }
  if (isIpv6(text)) return success({ host: text, portText: undefined });
  return failure(`Cannot read "${text}" as an address: ${FORMS}`);
}

/** Host names as getaddrinfo takes them: RFC 1123 labels, plus the underscore that sites use. */
function isHost(text: string): boolean {
  if (isIpv4(text) || isIpv6(text)) return true;
  if (/^[0-9.]+$/.test(text) || text.length > 253) return false;
  const labels = text.replace(/\.$/, "").split(".");
  return labels.every((label) => /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label));
}
