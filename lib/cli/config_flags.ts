// The flags that stand in for keys of lb.conf: those of run and check.

import {
  ENGINE_KINDS,
  HEALTH_PROBES,
  LOAD_SOURCES,
  LOG_FORMATS,
  LOG_LEVELS,
} from "../config/config.ts";
import { STRATEGY_NAMES } from "../strategy/registry.ts";
import { LIST_FLAGS, type Overrides, TEXT_FLAGS } from "../config/overrides.ts";
import { type Flag, type Given, optional, type Reading, shown, splitList } from "./command.ts";
import type { ConfigCommand } from "./config_source.ts";

export const CONFIG_FLAGS: readonly Flag[] = [
  {
    name: "config",
    letter: "c",
    argument: "FILE",
    text: "read FILE; flags win over what it says",
    offers: "files",
  },
  {
    name: "listen",
    argument: "ADDR,...",
    text: "where clients come in: :22, 192.0.2.1:22, [::1]:22, unix:/path; repeatable",
    repeatable: true,
  },
  {
    name: "backends",
    argument: "HOST,...",
    text:
      "where sessions go: host[:port][=cores]; without a port, the port of --listen; repeatable",
    repeatable: true,
  },
  {
    name: "discover",
    argument: "SOURCE",
    text: "who names backends while it runs: redis://HOST, ... (help discovery); repeatable",
    repeatable: true,
  },
  {
    name: "feed",
    argument: "ENDPOINT,...",
    text:
      "generators that name the backend of each client: tcp://gen:7000 (help chain); repeatable",
    repeatable: true,
  },
  {
    name: "strategy",
    argument: "NAME",
    text: `${names(STRATEGY_NAMES)} (help strategies)`,
    offers: STRATEGY_NAMES,
  },
  {
    name: "load",
    argument: "SOURCE",
    text: `where the load comes from: ${names(LOAD_SOURCES)} (help load)`,
    offers: LOAD_SOURCES,
  },
  {
    name: "health",
    argument: "PROBE",
    text: `how health is checked: ${names(["auto", ...HEALTH_PROBES])} (help health)`,
    offers: ["auto", ...HEALTH_PROBES],
  },
  { name: "engine", argument: "KIND", text: names(ENGINE_KINDS), offers: ENGINE_KINDS },
  { name: "user", argument: "NAME", text: "become this user once the sockets are bound" },
  {
    name: "admin-socket",
    argument: "PATH",
    text: "the socket that status and why ask: auto (default), off, or a path",
    offers: "files",
  },
  {
    name: "admin-state",
    argument: "PATH",
    text: "the file that keeps what administrators order: auto (default), off, or a path",
    offers: "files",
  },
  {
    name: "admin-http",
    argument: "ADDR,...",
    text: "where the same is asked by HTTP over TCP: 127.0.0.1:8422; off (default); repeatable",
    repeatable: true,
  },
  {
    name: "admin-token-file",
    argument: "FILE",
    text: "the token for all that --admin-http can do; without, it is read-only (help api)",
    offers: "files",
  },
  {
    name: "log-level",
    argument: "LEVEL",
    text: names(LOG_LEVELS, "info"),
    offers: LOG_LEVELS,
  },
  { name: "log-format", argument: "FORMAT", text: names(LOG_FORMATS), offers: LOG_FORMATS },
  {
    name: "record",
    argument: "PATH",
    text: "record what placement saw and chose, for simulate: off (default), or a path",
    offers: "files",
  },
  {
    name: "shutdown-timeout",
    argument: "T",
    text: "how long sessions may go on after TERM: 30s, 1h, or off (default), as long as they last",
  },
];

/** Reads the flags of {@linkcode CONFIG_FLAGS}. */
export function readConfigFlags(given: Given): Reading<ConfigCommand> {
  let overrides: Overrides = optional(given, TEXT_FLAGS);
  for (const [flag, name] of Object.entries(LIST_FLAGS)) {
    const texts = given.values.get(flag);
    if (texts === undefined) continue;
    // A source may have commas of its own.
    if (flag === "discover") {
      overrides = { ...overrides, [name]: texts };
      continue;
    }
    const items = texts.flatMap(splitList);
    if (items.length === 0) {
      return { ok: false, message: `Cannot read --${flag}: its value is missing` };
    }
    const gap = texts.find((text) => /(^|,)\s*,/.test(text));
    if (gap !== undefined) {
      const message = `Cannot read --${flag} "${shown(gap)}": nothing stands before a comma`;
      return { ok: false, message };
    }
    overrides = { ...overrides, [name]: items };
  }
  return { ok: true, value: { ...optional(given, { config: "configFile" }), overrides } };
}

/** Names in a list, the default one marked. */
function names(all: readonly string[], standard = all[0]): string {
  return all.map((name) => name === standard ? `${name} (default)` : name).join(", ");
}
