// The events of the portable engine's tunnels, and addresses as they name them.

import { type Address, formatAddress, unmapHost } from "../../core/values/address.ts";
import type { LineBytes } from "../../core/values/line_bytes.ts";
import type { EngineEvent } from "../engine.ts";
import type { PickStore } from "../pick_store.ts";
import type { Client } from "./dialer.ts";

/** What the events of a tunnel have in common. */
export type Tunnel = Omit<Extract<EngineEvent, { kind: "closed" }>, ClosedAlone>;
type ClosedAlone =
  | "kind"
  | "atMs"
  | "bytesToBackend"
  | "bytesToClient"
  | "durationMs"
  | "reason";

/** What tells of a client's tunnel in all its events. */
export function tunnelOf(
  tunnel: number,
  { frontend, pool, row, backend, from }: Client,
  outgoing: Address,
): Tunnel {
  return {
    tunnel,
    frontend,
    pool,
    row,
    backend,
    client: from,
    putClient: (line: LineBytes) => line.text(formatAddress(from)),
    outgoing,
    putOutgoing: (line: LineBytes) => line.text(formatAddress(outgoing)),
  };
}

/** The event of a tunnel that has opened. */
export function openedEvent(
  tunnel: Tunnel,
  { attempts, choice, plan, lastPick, reached, queuedMs }: Client,
  dialled: Deno.Conn,
  connectMs: number,
  atMs: number,
  store: PickStore,
): EngineEvent {
  const endpoints = plan?.endpoints ?? [];
  return {
    kind: "opened",
    ...tunnel,
    atMs,
    local: reached,
    backendAddress: addressOf(dialled.remoteAddr),
    attempts,
    connectMs,
    queueMs: Math.round(queuedMs),
    choice,
    endpoints,
    lastPick,
    store,
  };
}

/** A client's address. The name that one may give its end of a unix socket says nothing, and is left out. */
export function clientOf(address: Deno.Addr): Address {
  const client = addressOf(address);
  return client.transport === "tcp" ? client : { transport: "unix", path: "" };
}

/** An address as Deno gives it, in our words. */
export function addressOf(address: Deno.Addr): Address {
  if (address.transport === "tcp" || address.transport === "udp") {
    return { transport: "tcp", host: unmapHost(address.hostname), port: address.port };
  }
  return { transport: "unix", path: "path" in address ? address.path ?? "" : "" };
}
