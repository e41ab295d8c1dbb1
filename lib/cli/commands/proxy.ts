// `compute-lb proxy`: a balancer whose generators choose the backends.

import { parseListenAddress } from "../../core/values/address.ts";
import { failure, type Result, success } from "../../core/values/result.ts";
import { parseEndpoint } from "../../sp/endpoint.ts";
import { command, DETACH_FLAGS, type Given, splitList } from "../command.ts";
import { CONFIG_FLAGS, readConfigFlags } from "../config_flags.ts";
import type { ConfigCommand } from "../config_source.ts";

/** Those of the balancer's flags that are not about what arguments say here. */
const OTHER: ReadonlySet<string> = new Set([
  "config",
  "listen",
  "backends",
  "discover",
  "feed",
  "strategy",
  "load",
  "health",
]);

const EXPECTED = "expected FRONT FEED..., or FRONT,FEED[,FEED]...";

/** Where clients come in, and the feeds of the pool behind. */
interface Front {
  readonly listen: string;
  readonly feeds: readonly string[];
}

interface ProxyCommand extends ConfigCommand {
  readonly detach: boolean;
}

export const proxy = command({
  name: "proxy",
  summary: "give each connection to the backend that a generator names",
  usage: "proxy [flags] FRONT FEED... | FRONT,FEED[,FEED]...",
  text: `\
Listens on each FRONT, host:port, and takes one token of its feeds for each
connection: the address of a backend, which "compute-lb gen" or lbtk's generator
hands out. A FEED is tcp://host:port or ipc:///path. When a backend does not
answer, the next token is taken. A client for whom no token comes waits 3 s,
then it is closed. Backends are not probed: who makes the tokens does.

It is a balancer as "compute-lb run" starts one, with a frontend and a pool for
each FRONT: status, sessions, drain and metrics are those of any other.
`,
  flags: [
    ...DETACH_FLAGS,
    {
      name: "secondary",
      argument: "FEED,...",
      text: "feeds that are asked while no other gives tokens; repeatable",
      repeatable: true,
    },
    ...CONFIG_FLAGS.filter(({ name }) => !OTHER.has(name)),
  ],
  notes: `\
"compute-lb help chain" says how refreshers, generators and proxies work
together. For more settings write a file: pools.NAME.feed.
`,
  positionals: () => [],
  examples: [
    "proxy 127.0.0.1:8080 tcp://127.0.0.1:1024",
    "proxy :22,tcp://gen1:1024,tcp://gen2:1024 :80,ipc:///run/gen",
  ],
  isService: true,
  read: (given) => {
    const fronts = readFronts(given);
    if (!fronts.ok) return fronts;
    const secondary = (given.values.get("secondary") ?? []).flatMap(splitList);
    for (const feed of secondary) {
      const endpoint = parseEndpoint(feed, "dial");
      if (!endpoint.ok) return endpoint;
    }
    const config = readConfigFlags(given);
    if (!config.ok) return config;
    const text = textOf(fronts.value, secondary);
    const detach = given.switches.has("detach");
    return success<ProxyCommand>({ ...config.value, text, detach });
  },
  run: async ({ detach, ...options }) => {
    const { runOrDetach } = await import("../background.ts");
    return await runOrDetach(detach, async () => (await import("../run.ts")).run(options));
  },
});

/** Reads the arguments in either form. */
function readFronts({ positionals }: Given): Result<readonly Front[]> {
  const [first = ""] = positionals;
  const groups = first.includes(",")
    ? positionals.map((one) => one.split(","))
    : [[...positionals]];
  const fronts: Front[] = [];
  for (const [listen = "", ...feeds] of groups) {
    if (listen === "" || feeds.length === 0) {
      return failure(`No valid front found in arguments: ${EXPECTED}`);
    }
    const address = parseListenAddress(listen);
    if (!address.ok) return address;
    for (const feed of feeds) {
      const endpoint = parseEndpoint(feed, "dial");
      if (!endpoint.ok) return endpoint;
    }
    fronts.push({ listen, feeds });
  }
  return success(fronts);
}

/** The lb.conf that says the same; JSON is YAML. */
function textOf(fronts: readonly Front[], secondary: readonly string[]): string {
  const named = fronts.map((front, at) =>
    [fronts.length === 1 ? "main" : `front${at + 1}`, front] as const
  );
  return JSON.stringify({
    frontends: Object.fromEntries(
      named.map(([name, { listen }]) => [name, { listen, pool: name }]),
    ),
    pools: Object.fromEntries(
      named.map(([name, { feeds }]) => [
        name,
        { feed: { primary: feeds, secondary }, health: { probe: "none" } },
      ]),
    ),
  });
}
