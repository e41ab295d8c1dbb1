// `compute-lb kill`: ends sessions.

import { parseSessionId } from "../../admin/session_report.ts";
import { success } from "../../core/values/result.ts";
import { command, JSON_FLAG, shown, SOCKET_FLAGS } from "../command.ts";
import { readOrder, REASON_FLAG } from "../order_flags.ts";

export const kill = command({
  name: "kill",
  summary: "end sessions",
  usage: "kill SESSION... [flags]",
  text: `\
Ends sessions at once, by their numbers ("compute-lb sessions" shows them). What
is on its way in them may be lost. The access log says "killed".
`,
  flags: [
    { ...REASON_FLAG, text: "why, for the log" },
    ...SOCKET_FLAGS,
    { ...JSON_FLAG, text: "the sessions as JSON, as they were" },
  ],
  positionals: () => [],
  live: "sessions",
  examples: ["kill 4711 --reason runaway"],
  read: (given) => {
    const order = readOrder(given);
    if (!order.ok) return order;
    const ids: number[] = [];
    for (const text of given.positionals) {
      const id = parseSessionId(text);
      if (id === undefined) {
        return {
          ok: false,
          message: `Cannot read "${shown(text)}" as a session: expected its number`,
        };
      }
      ids.push(id);
    }
    if (ids.length === 0) {
      return { ok: false, message: "Cannot tell which session is meant: expected SESSION" };
    }
    return success({ ...order.value, ids });
  },
  run: async (options) => await (await import("../sessions.ts")).killSessions(options),
});
