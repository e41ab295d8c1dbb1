// argv to a task, or to the one sentence that says what is wrong with it; the one importer of
// @std/cli/parse-args. What the values mean is for the command's reader to say, or for config/.

import { parseArgs } from "@std/cli/parse-args";
import { didYouMean } from "../core/values/nearest.ts";
import { type Command, COMMON_FLAGS, type Flag, type Given, shown, type Task } from "./command.ts";

/** What to do, or a message that ends with a hint at the help. */
export type Parsed =
  | { readonly ok: true; readonly task: Task; readonly isService: boolean }
  | { readonly ok: false; readonly message: string };

type Commands = readonly [Command, ...Command[]];

/**
 * Reads a command line, without the program's own name. Never throws.
 * @param commands among them help and version; the first is meant where the line names none.
 */
export function parseCommand(argv: readonly string[], commands: Commands): Parsed {
  const [first] = argv;
  if (first === undefined || first.startsWith("-")) {
    // Help without a command is about all of them.
    return parseFlags(commands[0], argv, commands, []);
  }
  const command = commands.find(({ name }) => name === first);
  if (command !== undefined) return parseFlags(command, argv.slice(1), commands, [first]);
  return wrong(`Unknown command "${shown(first)}"`, meantBy(first, commands), "--help");
}

/** A word that stands behind a command is often typed alone: add, or the name of a topic. */
function meantBy(word: string, commands: Commands): string {
  const owner = commands.find(({ positionals }) => positionals?.({ commands }).includes(word));
  if (owner !== undefined) return `did you mean "${owner.name} ${word}"?`;
  return didYouMean(word, commands.map(({ name }) => name));
}

/** What to type behind the program's name for help. */
function helpOn({ name }: Command, commands: Commands): string {
  if (name === commands[0].name) return "--help";
  return name === "help" ? "help" : `help ${name}`;
}

/** @param topic what help is asked for when the line asks for help. */
function parseFlags(
  command: Command,
  argv: readonly string[],
  commands: Commands,
  topic: readonly string[],
): Parsed {
  const meant = argv.map((argument) => command.synonyms?.[argument] ?? argument);
  const { flags, given, message, hint = "" } = readFlags(command, meant);
  const help = helpOn(command, commands);
  // Somebody who asks for help gets it, whatever else the line says.
  for (const [name, positionals] of [["help", topic], ["version", []]] as const) {
    const asked = commands.find((known) => known.name === name);
    if (asked === undefined || !isAsked(name, given, command)) continue;
    return tasked(asked, { values: new Map(), switches: new Set(), positionals, argv }, commands);
  }
  if (message !== undefined) return wrong(message, hint, help);
  for (const [name, texts] of given.values) {
    const flag = flags.find((known) => known.name === name);
    const written = writtenAs(flag ?? { name, text: "" }, argv);
    if (texts.some((text) => text === "")) {
      const way = written.startsWith("--") ? `write ${written}=VALUE` : `write ${written} VALUE`;
      return wrong(`Cannot read ${written}: its value is missing`, way, help);
    }
    if (texts.length > 1 && flag?.repeatable !== true) {
      return wrong(`Cannot use ${written} ${texts.length} times: expected it once`, "", help);
    }
  }
  const [stray] = given.positionals;
  if (command.positionals === undefined && stray !== undefined) {
    const isCommand = stray !== command.name && commands.some(({ name }) => name === stray);
    const way = isCommand ? "write the command first" : command.hintFor?.(stray) ?? "";
    return wrong(`Cannot use "${shown(stray)}" here: expected only flags`, way, help);
  }
  return tasked(command, given, commands);
}

/** Whether a switch of all commands is there in a word of its own: a value like -8h is none, though it has an h. */
function isAsked(
  name: string,
  { switches, argv, positionals }: Given,
  { flagsFirst = false }: Command,
): boolean {
  const letter = COMMON_FLAGS.find((flag) => flag.name === name)?.letter;
  // Right behind the first argument, no argument of its own is meant.
  if (flagsFirst && positionals[1] === `--${name}`) return true;
  return switches.has(name) && (argv.includes(`--${name}`) || argv.includes(`-${letter}`));
}

function tasked(command: Command, given: Given, commands: Commands): Parsed {
  const read = command.read(given, { commands });
  if (read.ok) return { ok: true, task: read.value, isService: command.isService === true };
  const help = helpOn(command, commands);
  return wrong(read.message, read.hint ?? "", help);
}

/** A flag as it was typed: by its letter only where the whole name stands nowhere. */
function writtenAs({ name, letter }: Flag, argv: readonly string[]): string {
  const long = `--${name}`;
  const isLong = argv.some((argument) => argument === long || argument.startsWith(`${long}=`));
  return letter === undefined || isLong ? long : `-${letter}`;
}

interface ReadFlags {
  readonly flags: readonly Flag[];
  readonly given: Given;
  readonly message?: string;
  readonly hint?: string;
}

function readFlags(command: Command, argv: readonly string[]): ReadFlags {
  const flags = [...command.flags, ...COMMON_FLAGS];
  const valued = flags.filter(({ argument }) => argument !== undefined).map(({ name }) => name);
  const switches = flags.filter(({ argument }) => argument === undefined).map(({ name }) => name);
  const { flagsFirst = false } = command;
  let unknown: string | undefined;
  const parsed = parseArgs(argv, {
    stopEarly: flagsFirst,
    string: [...valued, "_"],
    boolean: switches,
    collect: valued,
    alias: Object.fromEntries(
      flags.flatMap(({ name, letter }) => letter === undefined ? [] : [[name, letter]]),
    ),
    unknown: (argument, key) => {
      if (key === undefined) return true;
      unknown ??= argument;
      return false;
    },
  });
  const values = new Map<string, readonly string[]>();
  for (const name of valued) {
    const texts = parsed[name];
    if (Array.isArray(texts) && texts.length > 0) values.set(name, texts.map(String));
  }
  const given: Given = {
    values,
    switches: new Set(switches.filter((name) => parsed[name] === true)),
    positionals: parsed._.map(String),
    argv,
  };
  if (unknown !== undefined) {
    const written = unknown.replace(/=.*$/s, "");
    const hint = didYouMean(written, flags.map(({ name }) => `--${name}`));
    return { flags, given, message: `Unknown flag "${shown(written)}"`, hint };
  }
  const behind = flagsFirst ? parsed._.length : 0;
  const misused = valuedSwitch(argv.slice(0, argv.length - behind), switches);
  if (misused === undefined) return { flags, given };
  return { flags, given, message: `Cannot give --${misused} a value: it is a switch` };
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

/** @param help what to type behind the program's name for help. */
function wrong(message: string, hint: string, help: string): Parsed {
  const colon = message.includes(": ") ? "; " : ": ";
  const said = hint === "" ? message : `${message}${colon}${hint}`;
  return { ok: false, message: `${said}\nTry "compute-lb ${help}".` };
}
