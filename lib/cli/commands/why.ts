// `compute-lb why`: why connections landed where they did.

import { decisions, MOST_DECISIONS } from "../../admin/why_report.ts";
import { success } from "../../core/values/result.ts";
import { command, JSON_FLAG, optional, shown, SOCKET_FLAGS } from "../command.ts";

export const why = command({
  name: "why",
  summary: "why a connection landed where it did",
  usage: "why [flags]",
  text: `\
Asks the running balancer why a connection landed where it did: what every
backend of the pool looked like at that instant, and why each of them won or
lost. Without flags, it shows the last connection. Ends with 1 when there is no
such connection. The balancer remembers the last ${MOST_DECISIONS}; the access log has all.
`,
  flags: [
    { name: "last", argument: "N", text: "the last N connections" },
    {
      name: "client",
      argument: "ADDR",
      text: "only of this client: 192.0.2.7:53122, 192.0.2.7, or the beginning of its address, " +
        "such as 192.0.2",
    },
    ...SOCKET_FLAGS,
    JSON_FLAG,
  ],
  hintFor: (stray) => /^\d+$/.test(stray) ? `write --last ${stray}` : "",
  examples: ["why", "why --client 192.0.2.7", "why --last 20 --json"],
  read: (given) => {
    const text = given.values.get("last")?.[0];
    const last = text === undefined ? undefined : decisions.read(text);
    if (text !== undefined && !last?.ok) {
      const found = `Cannot read "${shown(text)}" as a number of connections`;
      return { ok: false, message: `${found}: expected 1 to ${MOST_DECISIONS}` };
    }
    return success({
      json: given.switches.has("json"),
      ...(last?.ok ? { last: last.value } : {}),
      ...optional(given, {
        "client": "client",
        "config": "configFile",
        "admin-socket": "adminSocket",
      }),
    });
  },
  run: async (options) => await (await import("../why.ts")).why(options),
});
