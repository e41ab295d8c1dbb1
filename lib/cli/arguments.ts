// argv to a Command, or to the one sentence that says what is wrong with it; the one importer of
// @std/cli/parse-args. What the values mean is for config/ to say, except where no other part reads them.

import { parseArgs } from "@std/cli/parse-args";
import { MOST_DECISIONS, parseLast } from "../admin/why_report.ts";
import { STRATEGY_NAMES, type StrategyName } from "../strategy/registry.ts";
import type { Overrides } from "../config/overrides.ts";
import { didYouMean } from "../core/values/nearest.ts";

/** The commands, in the order in which help lists them. */
export const COMMANDS = [
  "run",
  "check",
  "demo",
  "status",
  "why",
  "agent",
  "simulate",
  "echo",
  "help",
  "version",
] as const;

export type CommandName = typeof COMMANDS[number];

/** What help tells of besides commands. */
export const TOPICS = [...COMMANDS, "load", "strategies"] as const;

export type HelpTopic = typeof TOPICS[number];

/** What the command line asks for. */
export type Command =
  | {
    readonly name: "run";
    readonly configFile?: string;
    readonly overrides: Overrides;
  }
  | {
    readonly name: "check";
    readonly configFile?: string;
    readonly overrides: Overrides;
    /** Whether every address is listened on and every backend asked, once. */
    readonly probe: boolean;
    /** Whether the effective configuration is printed. */
    readonly effective: boolean;
  }
  | {
    readonly name: "demo";
    /** Absent: 20. */
    readonly seconds?: number;
    readonly json: boolean;
  }
  | {
    readonly name: "status";
    readonly json: boolean;
    /** Where the running balancer's admin socket is looked up. */
    readonly configFile?: string;
    readonly adminSocket?: string;
  }
  | {
    readonly name: "why";
    readonly json: boolean;
    /** Absent: 1. */
    readonly last?: number;
    readonly client?: string;
    readonly configFile?: string;
    readonly adminSocket?: string;
  }
  | {
    readonly name: "agent";
    /** Absent: every address, the usual port. */
    readonly listen?: string;
    /** Whom to become once it listens. */
    readonly user?: string;
    /** Networks from which it may be asked; empty: anybody may. */
    readonly allow: readonly string[];
  }
  | {
    readonly name: "simulate";
    readonly json: boolean;
    /** A recording. */
    readonly replay: string;
    /** Absent: all of them. */
    readonly strategy?: StrategyName;
  }
  | { readonly name: "echo"; readonly addresses: readonly string[] }
  | { readonly name: "help"; readonly topic?: HelpTopic }
  | { readonly name: "version" };

/** A command, or a message that ends with a hint at the help. */
export type CommandResult =
  | { readonly ok: true; readonly command: Command }
  | { readonly ok: false; readonly message: string };

/** Flags that take a text, and the field of Overrides that they fill. */
const OVERRIDE_FLAGS = {
  "strategy": "strategy",
  "load": "load",
  "health": "health",
  "engine": "engine",
  "user": "user",
  "admin-socket": "adminSocket",
  "log-level": "logLevel",
  "log-format": "logFormat",
  "record": "record",
  "shutdown-timeout": "shutdownTimeout",
} as const satisfies Readonly<Record<string, keyof Overrides>>;

const LIST_FLAGS = ["listen", "backends"] as const;
/** Flags that may be given more than once. */
const REPEATABLE: readonly string[] = [...LIST_FLAGS, "allow"];
const CONFIG_FLAGS = ["config", ...LIST_FLAGS, ...Object.keys(OVERRIDE_FLAGS)];

interface Syntax {
  /** Flags that take a value. */
  readonly values: readonly string[];
  readonly switches: readonly string[];
  /** What stands behind the flags; absent: nothing may. */
  readonly positionals?: "addresses" | "command";
}

const SYNTAX: Readonly<Record<CommandName, Syntax>> = {
  run: { values: CONFIG_FLAGS, switches: [] },
  check: { values: CONFIG_FLAGS, switches: ["probe", "effective"] },
  demo: { values: ["seconds"], switches: ["json"] },
  status: { values: ["config", "admin-socket"], switches: ["json"] },
  why: { values: ["last", "client", "config", "admin-socket"], switches: ["json"] },
  agent: { values: ["listen", "user", "allow"], switches: [] },
  simulate: { values: ["replay", "strategy"], switches: ["json"] },
  echo: { values: [], switches: [], positionals: "addresses" },
  help: { values: [], switches: [], positionals: "command" },
  version: { values: [], switches: [] },
};

const ALIASES = { config: "c", help: "h", version: "V" } as const;

/** The longest demo, in seconds: a day. */
const DEMO_MAX_SECONDS = 86_400;

/** Every long flag of a command, without its dashes. */
export function flagsOf(name: CommandName): readonly string[] {
  return [...SYNTAX[name].values, ...SYNTAX[name].switches, "help", "version"];
}

/** Reads a command line, without the program's own name. Never throws. */
export function parseCommand(argv: readonly string[]): CommandResult {
  const [first] = argv;
  if (first === undefined || first.startsWith("-")) {
    const result = parseFlags("run", argv);
    // Help without a command is about all of them.
    return result.ok && result.command.name === "help" ? done({ name: "help" }) : result;
  }
  const name = COMMANDS.find((command) => command === first);
  if (name !== undefined) return parseFlags(name, argv.slice(1));
  return wrong(`Unknown command "${printable(first)}"`, didYouMean(first, COMMANDS));
}

interface Flags {
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly switches: ReadonlySet<string>;
  readonly positionals: readonly string[];
}

function parseFlags(name: CommandName, argv: readonly string[]): CommandResult {
  const syntax = SYNTAX[name];
  const read = readFlags(syntax, argv);
  // Somebody who asks for help gets it, whatever else the line says.
  if (read.flags.switches.has("help")) return done({ name: "help", topic: name });
  if (read.flags.switches.has("version")) return done({ name: "version" });
  if (read.message !== undefined) return wrong(read.message, read.hint ?? "", name);
  const { flags } = read;
  for (const [flag, texts] of flags.values) {
    if (texts.some((text) => text === "")) {
      const written = writtenAs(flag, argv);
      const hint = written.startsWith("--") ? `write ${written}=VALUE` : `write ${written} VALUE`;
      return wrong(`Cannot read ${written}: its value is missing`, hint, name);
    }
    if (texts.length > 1 && !REPEATABLE.includes(flag)) {
      return wrong(
        `Cannot use ${writtenAs(flag, argv)} ${texts.length} times: expected it once`,
        "",
        name,
      );
    }
  }
  const [stray] = flags.positionals;
  if (syntax.positionals === undefined && stray !== undefined) {
    const isCommand = stray !== name && COMMANDS.some((command) => command === stray);
    const hint = isCommand
      ? "write the command first"
      : name === "why" && /^\d+$/.test(stray)
      ? `write --last ${stray}`
      : "";
    return wrong(`Cannot use "${printable(stray)}" here: expected only flags`, hint, name);
  }
  return buildCommand(name, flags);
}

/** A flag as it was typed: by its letter only where the whole name stands nowhere. */
function writtenAs(flag: string, argv: readonly string[]): string {
  const letter = Object.entries(ALIASES).find(([long]) => long === flag)?.[1];
  const long = `--${flag}`;
  const isLong = argv.some((argument) => argument === long || argument.startsWith(`${long}=`));
  return letter === undefined || isLong ? long : `-${letter}`;
}

interface ReadFlags {
  readonly flags: Flags;
  readonly message?: string;
  readonly hint?: string;
}

function readFlags(syntax: Syntax, argv: readonly string[]): ReadFlags {
  const switches = [...syntax.switches, "help", "version"];
  const known = [...syntax.values, ...switches];
  let unknown: string | undefined;
  const parsed = parseArgs(argv, {
    string: [...syntax.values, "_"],
    boolean: switches,
    collect: syntax.values,
    alias: Object.fromEntries(
      Object.entries(ALIASES).filter(([long]) => known.includes(long)),
    ),
    unknown: (argument, key) => {
      if (key === undefined) return true;
      unknown ??= argument;
      return false;
    },
  });
  const values = new Map<string, readonly string[]>();
  for (const flag of syntax.values) {
    const texts = parsed[flag];
    if (Array.isArray(texts) && texts.length > 0) values.set(flag, texts.map(String));
  }
  const flags: Flags = {
    values,
    switches: new Set(switches.filter((flag) => parsed[flag] === true)),
    positionals: parsed._.map(String),
  };
  if (unknown !== undefined) {
    const written = unknown.replace(/=.*$/s, "");
    const hint = didYouMean(written, known.map((flag) => `--${flag}`));
    return { flags, message: `Unknown flag "${printable(written)}"`, hint };
  }
  const valued = valuedSwitch(argv, switches);
  if (valued === undefined) return { flags };
  return { flags, message: `Cannot give --${valued} a value: it is a switch` };
}

/** The first switch that is given a value; parse-args would take `true` and drop the rest. */
function valuedSwitch(argv: readonly string[], switches: readonly string[]): string | undefined {
  const end = argv.indexOf("--");
  const before = end === -1 ? argv : argv.slice(0, end);
  for (const [index, argument] of before.entries()) {
    const [, name = "", equals] = /^--([^=]+)(=)?/.exec(argument) ?? [];
    if (!switches.includes(name)) continue;
    if (equals !== undefined || /^(true|false)$/.test(before[index + 1] ?? "")) return name;
  }
  return undefined;
}

function buildCommand(name: CommandName, flags: Flags): CommandResult {
  const configFile = single(flags, "config");
  const withConfig = configFile === undefined ? {} : { configFile };
  const adminSocket = single(flags, "admin-socket");
  const withSocket = adminSocket === undefined ? {} : { adminSocket };
  const json = flags.switches.has("json");
  switch (name) {
    case "run":
      return withOverrides(flags, (overrides) => ({ name, ...withConfig, overrides }));
    case "check": {
      const probe = flags.switches.has("probe");
      const effective = flags.switches.has("effective");
      return withOverrides(
        flags,
        (overrides) => ({ name, ...withConfig, overrides, probe, effective }),
      );
    }
    case "demo": {
      const text = single(flags, "seconds");
      if (text === undefined) return done({ name, json });
      const seconds = /^\d{1,5}$/.test(text) ? Number(text) : 0;
      if (seconds >= 1 && seconds <= DEMO_MAX_SECONDS) return done({ name, json, seconds });
      const found = `Cannot read "${printable(text)}" as seconds`;
      return wrong(`${found}: expected 1 to ${DEMO_MAX_SECONDS}`, "", name);
    }
    case "status":
      return done({ name, json, ...withConfig, ...withSocket });
    case "why": {
      const client = single(flags, "client");
      const text = single(flags, "last");
      const last = text === undefined ? undefined : parseLast(text);
      if (text !== undefined && last === undefined) {
        const found = `Cannot read "${printable(text)}" as a number of connections`;
        return wrong(`${found}: expected 1 to ${MOST_DECISIONS}`, "", name);
      }
      return done({
        name,
        json,
        ...(last === undefined ? {} : { last }),
        ...(client === undefined ? {} : { client }),
        ...withConfig,
        ...withSocket,
      });
    }
    case "agent": {
      const listen = flags.values.get("listen") ?? [];
      const [address] = listen;
      const user = single(flags, "user");
      if (listen.length > 1) {
        return wrong(`Cannot use --listen ${listen.length} times: expected it once`, "", name);
      }
      return done({
        name,
        allow: (flags.values.get("allow") ?? []).flatMap(splitList),
        ...(address === undefined ? {} : { listen: address }),
        ...(user === undefined ? {} : { user }),
      });
    }
    case "simulate": {
      const replay = single(flags, "replay");
      if (replay === undefined) {
        return wrong("Cannot simulate nothing: expected --replay FILE", "", name);
      }
      const text = single(flags, "strategy");
      if (text === undefined) return done({ name, json, replay });
      const strategy = STRATEGY_NAMES.find((known) => known === text);
      if (strategy !== undefined) return done({ name, json, replay, strategy });
      const found = `Cannot read "${printable(text)}" as a strategy`;
      const expected = STRATEGY_NAMES.join(", ");
      return wrong(`${found}: expected ${expected}`, didYouMean(text, STRATEGY_NAMES), name);
    }
    case "echo": {
      const addresses = flags.positionals.flatMap(splitList);
      if (addresses.length > 0) return done({ name, addresses });
      return wrong('Cannot echo nowhere: expected an address, such as ":7000"', "", name);
    }
    case "help":
      return helpOn(flags.positionals);
    case "version":
      return done({ name });
  }
}

function withOverrides(flags: Flags, build: (overrides: Overrides) => Command): CommandResult {
  let overrides: Overrides = {};
  for (const [flag, key] of Object.entries(OVERRIDE_FLAGS)) {
    const text = single(flags, flag);
    if (text !== undefined) overrides = { ...overrides, [key]: text };
  }
  for (const flag of LIST_FLAGS) {
    const texts = flags.values.get(flag);
    if (texts === undefined) continue;
    const items = texts.flatMap(splitList);
    if (items.length === 0) return wrong(`Cannot read --${flag}: its value is missing`, "");
    const gap = texts.find((text) => /(^|,)\s*,/.test(text));
    if (gap !== undefined) {
      return wrong(`Cannot read --${flag} "${printable(gap)}": nothing stands before a comma`, "");
    }
    overrides = { ...overrides, [flag]: items };
  }
  return done(build(overrides));
}

function helpOn(topics: readonly string[]): CommandResult {
  const [topic, second] = topics;
  if (topic === undefined) return done({ name: "help" });
  if (second !== undefined) {
    return wrong(`Cannot use "${printable(second)}" here: expected one command`, "", "help");
  }
  const name = TOPICS.find((known) => known === topic);
  if (name !== undefined) return done({ name: "help", topic: name });
  return wrong(`Unknown command "${printable(topic)}"`, didYouMean(topic, TOPICS));
}

/** Items of a comma list; empty ones, as of a trailing comma, are left out. */
function splitList(text: string): string[] {
  return text.split(",").map((item) => item.trim()).filter((item) => item !== "");
}

function single(flags: Flags, flag: string): string | undefined {
  return flags.values.get(flag)?.[0];
}

function done(command: Command): CommandResult {
  return { ok: true, command };
}

function wrong(message: string, hint: string, name?: CommandName): CommandResult {
  const help = name === undefined || name === "run"
    ? "compute-lb --help"
    : `compute-lb help ${name}`;
  const colon = message.includes(": ") ? "; " : ": ";
  const said = hint === "" ? message : `${message}${colon}${hint}`;
  return { ok: false, message: `${said}\nTry "${help}".` };
}

/** What was typed, on one line and of bounded length. */
function printable(text: string): string {
  const line = text.replace(/\p{Cc}/gu, "?");
  return line.length > 80 ? `${line.slice(0, 77)}...` : line;
}
