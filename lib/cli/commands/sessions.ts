// `compute-lb sessions`: who is where.

import { success } from "../../core/values/result.ts";
import { command, JSON_FLAG, optional, SOCKET_FLAGS } from "../command.ts";

export const sessions = command({
  name: "sessions",
  summary: "who is where, since when, and how busy",
  usage: "sessions [flags]",
  text: `\
Asks the running balancer for the sessions that stand, the oldest first: client,
backend, since when, for how long nothing has moved, bytes sent and received.
The number is what "kill" takes, and "tunnel" in the access log.
`,
  flags: [
    {
      name: "backend",
      argument: "HOST",
      text: "only on this backend: hoek:22, or its host, hoek",
      offers: "backends",
    },
    {
      name: "client",
      argument: "ADDR",
      text: "only of this client: 192.0.2.7:53122, 192.0.2.7, or the beginning of its address, " +
        "such as 192.0.2",
    },
    { name: "pool", argument: "NAME", text: "only of this pool", offers: "pools" },
    {
      name: "frontend",
      argument: "NAME",
      text: "only of this frontend",
      offers: "frontends",
    },
    ...SOCKET_FLAGS,
    JSON_FLAG,
  ],
  examples: ["sessions", "sessions --backend hoek", "sessions --client 192.0.2.7 --json"],
  read: (given) =>
    success({
      json: given.switches.has("json"),
      query: optional(given, {
        "backend": "backend",
        "client": "client",
        "pool": "pool",
        "frontend": "frontend",
      }),
      ...optional(given, { "config": "configFile", "admin-socket": "adminSocket" }),
    }),
  run: async (options) => await (await import("../sessions.ts")).sessions(options),
});
