// `compute-lb weight`: the share of a backend beside others.

import { parseWeight } from "../../core/pool/backend.ts";
import { command, shown } from "../command.ts";
import { HOST_NOTES, ORDER_FLAGS, readHosts } from "../order_flags.ts";

export const weight = command({
  name: "weight",
  summary: "set the share of a backend beside others",
  usage: "weight HOST... N|default [flags]",
  text: `\
Sets the weight of a backend from the next connection on: 0 to 256, 1 is the
usual one, 0 means no new sessions. "default" means the weight of lb.conf again.
An agent's percentage is a share of it.
`,
  flags: ORDER_FLAGS,
  notes: HOST_NOTES,
  positionals: () => ["default"],
  live: "backends",
  examples: ["weight hoek 2", "weight hoek kelvin 0.5", "weight hoek default"],
  read: (given) => {
    const text = given.positionals.at(-1) ?? "";
    const hosts = given.positionals.slice(0, -1);
    const weight = text === "default" ? undefined : parseWeight(text);
    if (weight?.ok === false) {
      const message = hosts.length === 0 ? "expected HOST and a weight" : weight.message;
      return { ok: false, message: `Cannot set "${shown(text)}": ${message}` };
    }
    const order = readHosts(given, hosts);
    if (!order.ok) return order;
    return { ok: true, value: { ...order.value, weight: weight?.value ?? null } };
  },
  run: async (options) => {
    const { orderBackends } = await import("../orders.ts");
    const body = { weight: options.weight };
    return await orderBackends(options, "weight", { method: "PATCH", body });
  },
});
