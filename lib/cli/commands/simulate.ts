// `compute-lb simulate`: replays recorded sessions with other strategies.

import { STRATEGY_NAMES } from "../../strategy/registry.ts";
import { didYouMean } from "../../core/values/nearest.ts";
import { success } from "../../core/values/result.ts";
import { command, JSON_FLAG, shown } from "../command.ts";

export const simulate = command({
  name: "simulate",
  summary: "what other strategies would have done with recorded sessions",
  usage: "simulate --replay FILE [flags]",
  text: `\
Reads a recording (run --record, or log.record) and places its sessions again,
by one strategy or by all, with the samples and states that the balancer knew.
A session that lands elsewhere takes its load along, at the learnt cost of a
session; all other load stays where it was. Ends with 2 when the file is bad.
`,
  flags: [
    { name: "replay", argument: "FILE", text: "the recording", offers: "files" },
    {
      name: "strategy",
      argument: "NAME",
      text: "only this strategy; without it, all are compared",
      offers: STRATEGY_NAMES,
    },
    { ...JSON_FLAG, text: "JSON instead of tables" },
  ],
  examples: [
    "simulate --replay /var/lib/compute-lb/record.jsonl",
    "simulate --replay record.jsonl --strategy least_connections",
  ],
  read: ({ values, switches }) => {
    const replay = values.get("replay")?.[0];
    if (replay === undefined) {
      return { ok: false, message: "Cannot simulate nothing: expected --replay FILE" };
    }
    const json = switches.has("json");
    const text = values.get("strategy")?.[0];
    if (text === undefined) return success({ json, replay });
    const strategy = STRATEGY_NAMES.find((known) => known === text);
    if (strategy !== undefined) return success({ json, replay, strategy });
    const found = `Cannot read "${shown(text)}" as a strategy`;
    const message = `${found}: expected ${STRATEGY_NAMES.join(", ")}`;
    return { ok: false, message, hint: didYouMean(text, STRATEGY_NAMES) };
  },
  run: async (options) => await (await import("../simulate.ts")).simulate(options),
});
