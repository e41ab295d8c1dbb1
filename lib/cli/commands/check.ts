// `compute-lb check`: says what is wrong with a configuration.

import { success } from "../../core/values/result.ts";
import { command } from "../command.ts";
import { CONFIG_FLAGS, readConfigFlags } from "../config_flags.ts";

export const check = command({
  name: "check",
  summary: "validate the configuration; with --probe, try it",
  usage: "check [flags]",
  text: `\
Reads the configuration and prints every error in one run, or "ok". Prints a
warning for a setting that is valid but has no effect.
Ends with 0 when the configuration is valid and with 2 when it is not. With
--probe, ends with 1 when the balancer cannot listen on an address or a backend
does not answer as it should. With --diff, asks the running balancer, and ends
with 1 when there is none.
`,
  flags: [
    ...CONFIG_FLAGS,
    {
      name: "probe",
      text: "would it work? listen on every address for a moment, ask every backend once, " +
        "show the answers",
    },
    {
      name: "diff",
      text: "what would a reload of the running balancer change, and which orders of " +
        "administrators stand?",
    },
    {
      name: "effective",
      text: "print the effective configuration, with every default, as an lb.conf",
    },
  ],
  examples: [
    "check --config /etc/compute-lb/lb.conf",
    "check --diff",
    "check --listen :22 --backends hoek,kelvin=24 --probe",
    "check --config /etc/compute-lb/lb.conf --effective",
  ],
  read: (given) => {
    const config = readConfigFlags(given);
    if (!config.ok) return config;
    const { switches } = given;
    const [probe, effective] = [switches.has("probe"), switches.has("effective")];
    return success({ ...config.value, probe, effective, diff: switches.has("diff") });
  },
  run: async (options) => await (await import("../check.ts")).check(options),
});
