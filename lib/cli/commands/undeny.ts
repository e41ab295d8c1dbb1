// `compute-lb undeny`: takes back what deny has ordered.

import { command } from "../command.ts";
import { DENIAL_FLAGS, readNetworks } from "../order_flags.ts";

export const undeny = command({
  name: "undeny",
  summary: "take back what deny has ordered",
  usage: "undeny NETWORK... [flags]",
  text: `\
Takes back what "deny" has ordered of these very networks. What lb.conf denies
stays denied.
`,
  flags: DENIAL_FLAGS.filter(({ name }) => name !== "reason"),
  positionals: () => [],
  examples: ["undeny 192.0.2.7"],
  read: (given) => readNetworks(given),
  run: async (options) => await (await import("../denials.ts")).orderDenials(options, "undeny"),
});
