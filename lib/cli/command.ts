// What a command is: its file in commands/ exports one, and the list in commands.ts names it. Reading the
// command line, help, completion and the manual page are derived from it.

import { success } from "../core/values/result.ts";

/** A flag of a command. */
export interface Flag {
  /** Long, without dashes. */
  readonly name: string;
  /** The short form, one letter. */
  readonly letter?: string;
  /** What the value is called in help; absent: the flag is a switch. */
  readonly argument?: string;
  /** What help says, without a line break. */
  readonly text: string;
  /** Whether the flag may be given more than once. */
  readonly repeatable?: boolean;
  /** What completion offers as the value: words, paths of files, or names of the running balancer. */
  readonly offers?: readonly string[] | "files" | Live;
}

/** What the running balancer can be asked the names of, by "completion". */
export const LIVE = ["backends", "frontends", "pools", "sessions"] as const;

export type Live = typeof LIVE[number];

/** What a command line gives to a command: flags that it has, values that are not empty. */
export interface Given {
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly switches: ReadonlySet<string>;
  readonly positionals: readonly string[];
  /** Everything behind the command's name, as it was typed. */
  readonly argv: readonly string[];
}

/** What a command's reader makes of it; a message says what is wrong, a hint what may be meant. */
export type Reading<Options> =
  | { readonly ok: true; readonly value: Options }
  | { readonly ok: false; readonly message: string; readonly hint?: string };

/** What everything else knows of a command. */
export interface Description {
  readonly name: string;
  /** One line for lists of commands. */
  readonly summary: string;
  /** What stands behind the program's name in a command line. */
  readonly usage: string;
  /** What help says above the flags; at most 80 columns wide. */
  readonly text: string;
  readonly flags: readonly Flag[];
  /** What help says below the flags; at most 80 columns wide. */
  readonly notes?: string;
  /** What help says below them; it takes long to load. */
  readonly moreNotes?: () => Promise<string>;
  /** Command lines without the program's name. */
  readonly examples: readonly string[];
  /** What completion offers for arguments without a flag; absent: there are none. */
  readonly positionals?: (program: Program) => readonly string[];
  /** Names of the running balancer that completion offers for them as well. */
  readonly live?: Live;
  /** What may be meant by an argument without a flag where there are none; "": nobody knows. */
  readonly hintFor?: (stray: string) => string;
  /** Flags end at the first argument: what stands behind it may look like one. */
  readonly flagsFirst?: boolean;
  /** Flags as other programs spell them, and what they stand for. */
  readonly synonyms?: Readonly<Record<string, string>>;
  /** Whether an init system starts it: a HUP does not end it. */
  readonly isService?: boolean;
}

/** How a command line is to be carried out. */
export interface Task {
  readonly name: string;
  readonly options: object;
  /** Returns the exit status. */
  run(): Promise<number>;
}

export interface Command extends Description {
  readonly read: (given: Given, program: Program) => Reading<Task>;
}

/** What a command may ask of the program that it belongs to. */
export interface Program {
  readonly commands: readonly Command[];
}

/** Makes a command of its description, its reader and what it does with what was read. */
export function command<Options extends object>(
  definition: Description & {
    readonly read: (given: Given, program: Program) => Reading<Options>;
    /** Imports, when it is reached, what takes long to load. */
    readonly run: (options: Options, program: Program) => Promise<number> | number;
  },
): Command {
  const { read, run, ...description } = definition;
  return {
    ...description,
    read: (given, program) => {
      const options = read(given, program);
      if (!options.ok) return options;
      const { value } = options;
      const { name } = description;
      return success({ name, options: value, run: async () => await run(value, program) });
    },
  };
}

/** Every flag has these two besides its own. */
export const COMMON_FLAGS: readonly Flag[] = [
  { name: "help", letter: "h", text: "this text" },
  { name: "version", letter: "V", text: "print the version" },
];

/** Where status and why look for the running balancer. */
export const SOCKET_FLAGS: readonly Flag[] = [
  {
    name: "config",
    letter: "c",
    argument: "FILE",
    text: "the balancer's file: it names the admin socket",
    offers: "files",
  },
  { name: "admin-socket", argument: "PATH", text: "the admin socket itself", offers: "files" },
];

/** Those values of flags that were given, each flag once, by the name of its option. */
export function optional<Name extends string>(
  given: Given,
  flags: Readonly<Record<string, Name>>,
): { readonly [name in Name]?: string } {
  const found: { [name in Name]?: string } = {};
  for (const [flag, name] of Object.entries(flags)) {
    const text = given.values.get(flag)?.[0];
    if (text !== undefined) found[name] = text;
  }
  return found;
}

/** What lbtk's services take besides. */
export const DETACH_FLAGS: readonly Flag[] = [
  {
    name: "detach",
    letter: "d",
    text: "serve in the background and log to syslog (local0); returns once it serves",
  },
  {
    name: "fork",
    letter: "f",
    text: "changes nothing: where lbtk had a process per core, threads do here",
  },
];

/** Whether JSON is asked for. */
export const JSON_FLAG: Flag = { name: "json", text: "JSON instead of text" };

/** Items of a comma list; empty ones, as of a trailing comma, are left out. */
export function splitList(text: string): string[] {
  return text.split(",").map((item) => item.trim()).filter((item) => item !== "");
}

/** What was typed, on one line and of bounded length. */
export function shown(text: string): string {
  const line = text.replace(/\p{Cc}/gu, "?");
  return line.length > 80 ? `${line.slice(0, 77)}...` : line;
}
