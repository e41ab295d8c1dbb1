// `compute-lb status`: what the running balancer reports of itself.

import { success } from "../../core/values/result.ts";
import { command, JSON_FLAG, optional, SOCKET_FLAGS } from "../command.ts";

export const status = command({
  name: "status",
  summary: "show the running balancer's frontends, pools and backends",
  usage: "status [flags]",
  text: `\
Asks the running balancer over its admin socket and shows frontends, pools and
backends: health, load, sessions. Without flags, it asks the socket that
/etc/compute-lb/lb.conf names first, then the usual places. "compute-lb help
status" explains the columns.
`,
  flags: [
    ...SOCKET_FLAGS,
    { ...JSON_FLAG, text: "JSON instead of tables" },
    { name: "watch", text: "show them anew every two seconds; q ends it" },
    { name: "nagios", text: "one line with performance data, and a plugin's exit status" },
  ],
  notes: `\
With --nagios the exit status is 0 when all backends can be used, 1 when some
cannot, 2 when a pool has none that can or no balancer runs, 3 when nobody can
tell.
`,
  examples: [
    "status",
    "status --admin-socket /run/compute-lb/admin.sock --json",
    "status --watch",
    "status --nagios",
  ],
  read: (given) =>
    success({
      json: given.switches.has("json"),
      watch: given.switches.has("watch"),
      nagios: given.switches.has("nagios"),
      ...optional(given, { "config": "configFile", "admin-socket": "adminSocket" }),
    }),
  run: async (options) => await (await import("../status.ts")).status(options),
});
