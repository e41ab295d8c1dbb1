// `compute-lb deny`: networks that frontends turn away.

import { lasting } from "../../admin/orders.ts";
import { success } from "../../core/values/result.ts";
import { command } from "../command.ts";
import { DENIAL_FLAGS, readNetworks } from "../order_flags.ts";

export const deny = command({
  name: "deny",
  summary: "turn clients of a network away",
  usage: "deny NETWORK... [flags]",
  text: `\
Has frontends turn away clients that come from a network or an address from now
on, whatever lb.conf allows. Sessions that stand go on ("kill" ends them).
"undeny" takes it back; "status" shows what is denied, who ordered it and until
when.
`,
  flags: [
    {
      name: "for",
      argument: "T",
      text: "for so long: 30m, 1h, 7d or the like; without, until it is taken back",
    },
    ...DENIAL_FLAGS,
  ],
  positionals: () => [],
  examples: ["deny 192.0.2.7 --for 1h", "deny 2001:db8::/32 --frontend ssh --reason scanner"],
  read: (given) => {
    const networks = readNetworks(given);
    if (!networks.ok) return networks;
    const text = given.values.get("for")?.[0];
    const read = text === undefined ? undefined : lasting.read(text);
    if (read?.ok === false) return { ok: false, message: `--for: ${read.message}` };
    return success({ ...networks.value, ...(text === undefined ? {} : { until: text }) });
  },
  run: async ({ until = null, ...options }) => {
    const { orderDenials } = await import("../denials.ts");
    return await orderDenials(options, "deny", { until });
  },
});
