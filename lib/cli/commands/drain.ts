// `compute-lb drain`: no new sessions for a backend.

import { success } from "../../core/values/result.ts";
import { lasting } from "../../admin/orders.ts";
import { command } from "../command.ts";
import { HOST_NOTES, ORDER_FLAGS, readHosts } from "../order_flags.ts";

export const drain = command({
  name: "drain",
  summary: "send no new sessions to a backend; those that stand go on",
  usage: "drain HOST... [flags]",
  text: `\
Takes effect with the next connection. Sessions that stand go on, until the
deadline if there is one; then the balancer ends those that are left. A command
of yours can warn people before ("compute-lb help config drain"). "status" shows
who is left, "enable" takes the order back.
`,
  flags: [
    {
      name: "deadline",
      argument: "T",
      text:
        "end the sessions that are left after 30m, 8h, 2d or the like; off: never (a deadline that " +
        "stands is kept otherwise)",
    },
    ...ORDER_FLAGS,
  ],
  notes: HOST_NOTES,
  positionals: () => [],
  live: "backends",
  examples: ["drain hoek", 'drain hoek --deadline 8h --reason "new kernel"'],
  read: (given) => {
    const hosts = readHosts(given);
    if (!hosts.ok) return hosts;
    const text = given.values.get("deadline")?.[0];
    const read = text === undefined || text === "off" ? undefined : lasting.read(text);
    if (read?.ok === false) return { ok: false, message: `--deadline: ${read.message}` };
    const deadline = text === "off" ? null : text;
    return success({ ...hosts.value, ...(deadline === undefined ? {} : { deadline }) });
  },
  run: async (options) => {
    const { orderBackends } = await import("../orders.ts");
    const { deadline } = options;
    const body = { state: "draining", ...(deadline === undefined ? {} : { deadline }) };
    return await orderBackends(options, "drain", { method: "PATCH", body });
  },
});
