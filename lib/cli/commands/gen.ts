// `compute-lb gen`: hands out backends to proxies, one for each connection.

import { parseDuration } from "../../core/values/duration.ts";
import { failure, success } from "../../core/values/result.ts";
import { command } from "../command.ts";
import { CONFIG_FLAGS, readConfigFlags } from "../config_flags.ts";
import type { GenCommand } from "../gen.ts";

/** Those of the balancer's flags that are about what a generator does. */
const SHARED: ReadonlySet<string> = new Set([
  "config",
  "strategy",
  "load",
  "health",
  "log-level",
  "log-format",
]);

const OWN_TEXTS: Readonly<Record<string, string>> = {
  config: "place as a pool of FILE does, but for its backends; flags win",
  strategy: "any but source_hash: least_load (default), round_robin, ... (help strategies)",
};

/** Any of these has a strategy place the tokens. */
const PLACING = ["config", "strategy", "load", "health", "pool"];

const DEFAULT_SESSION_TIME = "1m";

export const gen = command({
  name: "gen",
  summary: "hand out backends to proxies, one for each of their connections",
  usage: "gen [flags] ENDPOINT...",
  text: `\
Reads lists of backends on stdin, one on each line and an empty line behind the
list, as "compute-lb refresh" writes them. Hands them out to all proxies that
connect, as lbtk's generator does: by SP, the protocol of nanomsg and mangos.
Where stdin ends, the last list goes on. Ends at TERM.

Without --strategy, lines are handed out as they are, one after the other. With
it, a line is a backend: host:port, and behind it cores=N, weight=W,
max_connections=N. Backends are probed and asked for their loads as in a pool,
and each token names the one that is best then.
`,
  flags: [
    { name: "random", text: "draw each line by chance; -rand does the same" },
    ...CONFIG_FLAGS.filter(({ name }) => SHARED.has(name)).map((flag) => ({
      ...flag,
      text: OWN_TEXTS[flag.name] ?? flag.text,
    })),
    { name: "pool", argument: "NAME", text: "which pool of FILE, where it has several" },
    {
      name: "session-time",
      argument: "T",
      text: "how long sessions count of a proxy that does not say when they end, as lbtk's: " +
        `${DEFAULT_SESSION_TIME} (default), 0s: not at all`,
    },
    {
      name: "socket-mode",
      argument: "MODE",
      text: "who may connect to ipc endpoints: octal digits, 0660 (default)",
    },
  ],
  notes: `\
An ENDPOINT is tcp://host:port, tcp://*:port or ipc:///path. "compute-lb help
chain" says how refreshers, generators and proxies work together.
`,
  positionals: () => [],
  synonyms: { "-rand": "--random" },
  examples: [
    "gen tcp://127.0.0.1:1024",
    "gen --strategy least_load --load ssh tcp://*:1024 ipc:///run/gen",
  ],
  isService: true,
  read: (given) => {
    const { positionals: endpoints, values } = given;
    if (endpoints.length === 0) {
      return failure<GenCommand>("Missing arguments: at least one endpoint to bind to");
    }
    const config = readConfigFlags(given);
    if (!config.ok) return config;
    const placing = PLACING.find((flag) => values.has(flag));
    const isRandom = given.switches.has("random");
    if (isRandom && placing !== undefined) {
      return failure<GenCommand>(`Cannot use --random with --${placing}: expected one of them`);
    }
    const sessionTime = parseDuration(values.get("session-time")?.[0] ?? DEFAULT_SESSION_TIME);
    if (!sessionTime.ok) return sessionTime;
    const mode = values.get("socket-mode")?.[0] ?? "0660";
    if (!/^0?[0-7]{3}$/.test(mode)) {
      return failure<GenCommand>(`Cannot read "${mode}" as a mode: expected octal digits, as 0660`);
    }
    const pool = values.get("pool")?.[0];
    return success<GenCommand>({
      ...config.value,
      endpoints,
      order: placing !== undefined ? "placed" : isRandom ? "random" : "in turn",
      ...(pool === undefined ? {} : { pool }),
      sessionTimeMs: sessionTime.value,
      socketMode: parseInt(mode, 8),
    });
  },
  run: async (options) => await (await import("../gen.ts")).gen(options),
});
