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
  flags: [...SOCKET_FLAGS, { ...JSON_FLAG, text: "JSON instead of tables" }],
  examples: ["status", "status --admin-socket /run/compute-lb/admin.sock --json"],
  read: (given) =>
    success({
      json: given.switches.has("json"),
      ...optional(given, { "config": "configFile", "admin-socket": "adminSocket" }),
    }),
  run: async (options) => await (await import("../status.ts")).status(options),
});
