// `compute-lb enable`: takes back what keeps new sessions from a backend by order.

import { command } from "../command.ts";
import { HOST_NOTES, ORDER_FLAGS, readHosts } from "../order_flags.ts";

export const enable = command({
  name: "enable",
  summary: "take back drain, disable or remove: new sessions again",
  usage: "enable HOST... [flags]",
  text: `\
Takes back a drain, a disable or a removal. Where the backend itself is against
sessions at that moment (its agent says drain, its load source OFFLINE, it has
/etc/nologin), that word counts no more until it says something else.
A backend that is down stays down until probes pass.
`,
  flags: [
    { name: "clear", text: "take the orders back, and let the backend's own word count" },
    ...ORDER_FLAGS,
  ],
  notes: HOST_NOTES,
  positionals: () => [],
  live: "backends",
  examples: ["enable hoek", "enable hoek:22 --pool compute", "enable hoek --clear"],
  read: (given) => {
    const hosts = readHosts(given);
    if (!hosts.ok) return hosts;
    return { ok: true, value: { ...hosts.value, clear: given.switches.has("clear") } };
  },
  run: async (options) => {
    const { orderBackends } = await import("../orders.ts");
    const body = { state: options.clear ? null : "enabled" };
    return await orderBackends(options, "enable", { method: "PATCH", body });
  },
});
