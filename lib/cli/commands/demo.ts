// `compute-lb demo`: the balancer on embedded backends.

import { success } from "../../core/values/result.ts";
import { command, JSON_FLAG, shown } from "../command.ts";

/** How long the demo runs unless told otherwise. */
export const DEFAULT_SECONDS = 20;
/** The longest demo: a day. */
const MAX_SECONDS = 86_400;

export const demo = command({
  name: "demo",
  summary: "the balancer on embedded backends, with a live table",
  usage: "demo [flags]",
  text: `\
Runs the balancer on backends that it brings along: real sockets, a real load
protocol, invented load. Shows a live table of where sessions land and why.
`,
  flags: [
    { name: "seconds", argument: "N", text: `end after N seconds (default: ${DEFAULT_SECONDS})` },
    { ...JSON_FLAG, text: "only the summary, as one JSON object, at the end" },
  ],
  examples: ["demo", "demo --seconds 60", "demo --seconds 5 --json"],
  read: ({ values, switches }) => {
    const json = switches.has("json");
    const text = values.get("seconds")?.[0];
    if (text === undefined) return success({ json });
    const seconds = /^\d{1,5}$/.test(text) ? Number(text) : 0;
    if (seconds >= 1 && seconds <= MAX_SECONDS) return success({ json, seconds });
    const message = `Cannot read "${shown(text)}" as seconds: expected 1 to ${MAX_SECONDS}`;
    return { ok: false, message };
  },
  run: async ({ json, seconds = DEFAULT_SECONDS }: { json: boolean; seconds?: number }) =>
    await (await import("../demo/demo.ts")).demo({ json, seconds }),
});
