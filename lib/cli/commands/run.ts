// `compute-lb run`: the balancer.

import { command } from "../command.ts";
import { CONFIG_FLAGS, readConfigFlags } from "../config_flags.ts";

export const run = command({
  name: "run",
  summary: "balance (the default)",
  usage: "[run] [flags]",
  text: `\
Listens, and gives every new connection to the backend that the strategy picks.
A setting that neither a flag nor the file names has its default; "compute-lb
check --effective" prints all of them.

Signals:
  HUP    reads the file again; a bad file changes nothing; opens a new
         recording where the old file was rotated away
  TERM   accepts no more clients and leaves with the last session, or after
         --shutdown-timeout
  INT    leaves at once and cuts the sessions, as a second TERM does
`,
  flags: CONFIG_FLAGS,
  notes: `\
Flags about listening change the only frontend of the file, flags about backends
the only pool. Without a file, they make a frontend and a pool called main.
`,
  examples: [
    "--listen :22 --backends hoek,kelvin=24,euler:2222",
    "--listen :2222 --backends a:22,b:22 --load ssh",
    "run --config /etc/compute-lb/lb.conf --log-level debug",
  ],
  isService: true,
  read: readConfigFlags,
  run: async (options) => await (await import("../run.ts")).run(options),
});
