// Flags and arguments that commands have in common which order something of backends.

import { parseNetwork } from "../core/values/network.ts";
import { printable } from "../core/values/printable.ts";
import { reasonText } from "../admin/orders.ts";
import {
  type Flag,
  type Given,
  JSON_FLAG,
  optional,
  type Reading,
  SOCKET_FLAGS,
} from "./command.ts";
import type { DenialCommand } from "./denials.ts";
import type { OrderCommand } from "./orders.ts";

export const REASON_FLAG: Flag = {
  name: "reason",
  argument: "TEXT",
  text: "why, for whoever looks later (status shows it)",
};

const POOL_FLAG: Flag = {
  name: "pool",
  argument: "NAME",
  text: "only in this pool; without, in every pool that has the backend",
  offers: "pools",
};

/** What help says of HOST. */
export const HOST_NOTES = `\
HOST is a backend as status and lb.conf call it (hoek:22), or its host alone
(hoek), which means all backends there. The balancer keeps the order over
restarts where admin.state names a file ("compute-lb help administration").
`;

export const ORDER_FLAGS: readonly Flag[] = [
  POOL_FLAG,
  REASON_FLAG,
  ...SOCKET_FLAGS,
  { ...JSON_FLAG, text: "the backends as JSON, as they are afterwards" },
];

/** Those of commands about networks. */
export const DENIAL_FLAGS: readonly Flag[] = [
  {
    name: "frontend",
    argument: "NAME",
    text: "only at this frontend; without, at every one",
    offers: "frontends",
  },
  REASON_FLAG,
  ...SOCKET_FLAGS,
  { ...JSON_FLAG, text: "what is denied as JSON" },
];

/** Reads networks, of which there must be one. */
export function readNetworks(given: Given): Reading<DenialCommand> {
  const order = readOrder(given);
  if (!order.ok) return order;
  const networks = given.positionals;
  if (networks.length === 0) {
    return { ok: false, message: "Cannot tell which network is meant: expected NETWORK" };
  }
  for (const text of networks) {
    const read = parseNetwork(text);
    if (!read.ok) return { ok: false, message: printable(read.message) };
  }
  return {
    ok: true,
    value: { ...order.value, ...optional(given, { "frontend": "frontend" }), networks },
  };
}

/** Reads what all have in common. */
export function readOrder(given: Given): Reading<OrderCommand> {
  const order = {
    json: given.switches.has("json"),
    ...optional(given, {
      "pool": "pool",
      "reason": "reason",
      "config": "configFile",
      "admin-socket": "adminSocket",
    }),
  };
  if (order.reason !== undefined) {
    const read = reasonText.read(order.reason);
    if (!read.ok) return read;
  }
  return { ok: true, value: order };
}

/** The same with hosts, of which there must be one. */
export function readHosts(
  given: Given,
  hosts: readonly string[] = given.positionals,
): Reading<OrderCommand & { readonly hosts: readonly string[] }> {
  const order = readOrder(given);
  if (!order.ok) return order;
  if (hosts.length === 0 || hosts.includes("")) {
    const hint = '"compute-lb status" lists them';
    return { ok: false, message: "Cannot tell which backend is meant: expected HOST", hint };
  }
  return { ok: true, value: { ...order.value, hosts } };
}
