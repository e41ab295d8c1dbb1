// `compute-lb agent`: tells balancers how busy a compute server is.

import { success } from "../../core/values/result.ts";
import { command, optional, splitList } from "../command.ts";

/** Where the agent listens unless a flag says otherwise. */
const DEFAULT_LISTEN = ":9777";

export const agent = command({
  name: "agent",
  summary: "on compute servers: tell balancers how busy this server is",
  usage: "agent [flags]",
  text: `\
Runs on a compute server and answers how busy it is: one line for HAProxy's
agent-check and for the load source "agent", JSON for HTTP requests. Needs no
privileges and no configuration. While /etc/nologin or /run/nologin exists, it
answers "drain": no new sessions. Ends at TERM.
`,
  flags: [
    {
      name: "listen",
      argument: "ADDR",
      text: `the address to listen on (default: ${DEFAULT_LISTEN})`,
    },
    {
      name: "allow",
      argument: "NETWORK,...",
      text: "clients that may ask, such as 192.0.2.0/24; without it, all may; repeatable",
      repeatable: true,
    },
    { name: "user", argument: "NAME", text: "become this user once the socket is bound" },
  ],
  examples: ["agent", "agent --listen 10.1.0.7:9777 --allow 10.1.0.1"],
  isService: true,
  read: (given) =>
    success({
      allow: (given.values.get("allow") ?? []).flatMap(splitList),
      ...optional(given, { listen: "listen", user: "user" }),
    }),
  run: async ({ listen = DEFAULT_LISTEN, ...options }: {
    readonly allow: readonly string[];
    readonly listen?: string;
    readonly user?: string;
  }) => await (await import("../agent.ts")).agent({ listen, ...options }),
});
