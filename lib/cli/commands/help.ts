// `compute-lb help`: the commands, and the manual by topics.

import { didYouMean } from "../../core/values/nearest.ts";
import { success } from "../../core/values/result.ts";
import { TOPICS } from "../../manual/topics.ts";
import { type Command, command, shown } from "../command.ts";
import { EXIT_OK, EXIT_USAGE } from "../exit_code.ts";
import { describeCommand, describeProgram } from "../help_text.ts";
import { wholeManual } from "../manual.ts";
import { complain } from "../output.ts";
import { page } from "../pager.ts";

export const help = command({
  name: "help",
  summary: "this text, or that of a command or a topic: compute-lb help load",
  usage: "help [COMMAND | TOPIC | config KEY]",
  text: `\
Prints the commands and topics, or the text of one of them, or what lb.conf may
say at one key. On a terminal, it shows the text with $PAGER or less. "--help"
behind a command does the same.
`,
  flags: [],
  positionals: ({ commands }) => namesOf(commands),
  examples: ["help", "help check", "help load", "help config sticky.ttl"],
  read: ({ positionals: [name, ...rest] }, { commands }) => {
    if (name === undefined) return success({});
    const names = namesOf(commands);
    const [key, ...others] = rest;
    if (name === "config" && key !== undefined && others.length === 0) {
      return success({ topic: name, key });
    }
    const [stray] = rest;
    if (stray !== undefined) {
      return { ok: false, message: `Cannot use "${shown(stray)}" here: expected one command` };
    }
    if (names.includes(name)) return success({ topic: name });
    const owner = commands.find(({ positionals }) => positionals?.({ commands }).includes(name));
    return {
      ok: false,
      message: `Unknown command or topic "${shown(name)}"`,
      hint: owner === undefined ? didYouMean(name, names) : `did you mean "${owner.name}"?`,
    };
  },
  run: async (
    { topic, key }: { readonly topic?: string; readonly key?: string },
    { commands },
  ) => {
    if (key !== undefined) return await helpOnKey(key);
    await page(topic === undefined ? describeProgram(commands) : await textOf(topic, commands));
    return EXIT_OK;
  },
});

function namesOf(commands: readonly Command[]): string[] {
  return [...new Set([...commands, ...TOPICS].map(({ name }) => name))];
}

/** A command and a topic may have the same name: both then. */
async function textOf(name: string, commands: readonly Command[]): Promise<string> {
  return [
    ...await Promise.all(commands.filter((known) => known.name === name).map(describeCommand)),
    ...(await wholeManual()).filter((known) => known.name === name).map(({ text }) => text),
  ].join("\n");
}

async function helpOnKey(key: string): Promise<number> {
  const { configKeys, helpConfig } = await import("../../config/help.ts");
  const text = helpConfig(key);
  if (configKeys(key).length === 0) {
    complain(text);
    return EXIT_USAGE;
  }
  await page(text);
  return EXIT_OK;
}
