// `compute-lb top`: the backends of the running balancer, live.

import { parseDuration } from "../../core/values/duration.ts";
import { success } from "../../core/values/result.ts";
import { command, optional, shown, SOCKET_FLAGS } from "../command.ts";

const DEFAULT_MS = 2000;
const LEAST_MS = 200;

export const top = command({
  name: "top",
  summary: "show the running balancer's backends live, sorted",
  usage: "top [flags]",
  text: `\
Asks the running balancer again and again and shows the backends of all pools
in one table: load, free cores, sessions, new sessions a second. On a terminal,
left and right choose the column to sort by, r reverses, q quits. Elsewhere
one table is printed after the other.
`,
  flags: [
    ...SOCKET_FLAGS,
    { name: "interval", argument: "TIME", text: "ask so often (default: 2s)" },
    { name: "count", argument: "N", text: "end after N tables, where stdout is no terminal" },
  ],
  examples: ["top", "top --interval 1s", "top --count 1"],
  read: (given) => {
    const interval = given.values.get("interval")?.[0];
    const count = given.values.get("count")?.[0];
    const read = interval === undefined ? success(DEFAULT_MS) : parseDuration(interval);
    if (!read.ok || read.value < LEAST_MS) {
      const message = `Cannot read "${
        shown(interval ?? "")
      }" as --interval: expected 200ms or more`;
      return { ok: false, message };
    }
    if (count !== undefined && !/^[1-9]\d{0,8}$/.test(count)) {
      const message = `Cannot read "${shown(count)}" as --count: expected a number above 0`;
      return { ok: false, message };
    }
    return success({
      intervalMs: read.value,
      ...(count === undefined ? {} : { count: Number(count) }),
      ...optional(given, { "config": "configFile", "admin-socket": "adminSocket" }),
    });
  },
  run: async (options) => await (await import("../top.ts")).top(options),
});
