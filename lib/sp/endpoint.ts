// Endpoints of SP sockets as nanomsg and mangos write them: tcp://host:port, tcp://*:port, ipc:///path.

import {
  type Address,
  formatAddress,
  parseBackendAddress,
  parseListenAddress,
} from "../core/values/address.ts";
import { printable } from "../core/values/printable.ts";
import { failure, type Result, success } from "../core/values/result.ts";

const FORMS = 'expected "tcp://host:port" or "ipc:///path"';

/**
 * Reads an endpoint.
 * @param use to listen, the host may be "*", every local address, and the port 0, one that is free.
 */
export function parseEndpoint(text: string, use: "dial" | "listen"): Result<Address> {
  const [, scheme, place = ""] = /^(tcp|ipc):\/\/(.*)$/s.exec(text) ?? [];
  const shown = printable(text.slice(0, 120));
  if (scheme === undefined) return failure(`Cannot read "${shown}" as an endpoint: ${FORMS}`);
  const read = scheme === "ipc"
    ? parseBackendAddress(`unix:${place}`)
    : place.startsWith("unix:") || place.startsWith("/")
    ? failure<Address>(FORMS)
    : use === "listen"
    ? parseListenAddress(place.replace(/^\*(?=:)/, ""))
    : parseBackendAddress(place);
  return read.ok
    ? success(read.value)
    : failure(`Cannot use the endpoint "${shown}": ${read.message}`);
}

/** Writes an endpoint the way {@linkcode parseEndpoint} reads it. */
export function formatEndpoint(address: Address): string {
  if (address.transport === "unix") return `ipc://${address.path}`;
  return `tcp://${address.host === "" ? "*" : ""}${formatAddress(address)}`;
}
