// `compute-lb disable`: no new sessions and no probes for a backend.

import { command } from "../command.ts";
import { HOST_NOTES, ORDER_FLAGS, readHosts } from "../order_flags.ts";

export const disable = command({
  name: "disable",
  summary: "send no new sessions to a backend, and do not probe it",
  usage: "disable HOST... [flags]",
  text: `\
As drain, and nobody asks the backend how it is any more: for a server that is
about to be switched off. Sessions that stand go on. "enable" takes the order
back; the backend is probed then as one that is new.
`,
  flags: ORDER_FLAGS,
  notes: HOST_NOTES,
  positionals: () => [],
  live: "backends",
  examples: ['disable hoek --reason "broken fan"'],
  read: (given) => readHosts(given),
  run: async (options) => {
    const { orderBackends } = await import("../orders.ts");
    const body = { state: "disabled" };
    return await orderBackends(options, "disable", { method: "PATCH", body });
  },
});
