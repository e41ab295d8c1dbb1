// The help texts, made from the commands' descriptions: one for the program, one for each command.

import { TOPICS } from "../manual/topics.ts";
import { type Command, COMMON_FLAGS, type Flag } from "./command.ts";
import { wrap } from "./output.ts";

const WIDTH = 80;
/** Where the text of a flag begins. */
const FLAG_COLUMN = 29;

/** The help of the program: its commands, its topics and the flags of the command that needs no name. */
export function describeProgram(commands: readonly Command[]): string {
  const [first] = commands;
  return `\
compute-lb: sends every new connection to the compute server with the most CPU
free.

Usage:
  compute-lb [run] --listen ADDR --backends HOST,... [flags]
  compute-lb [run] --config FILE [flags]
  compute-lb COMMAND [flags]

Commands (compute-lb help COMMAND):
${listed(commands)}
Topics of the manual (compute-lb help TOPIC):
${listed(TOPICS)}
Flags of run:
${describeFlags([...first?.flags ?? [], ...COMMON_FLAGS])}
Examples:
  compute-lb --listen :22 --backends hoek,kelvin=24,euler:2222
  compute-lb --config /etc/compute-lb/lb.conf
  compute-lb check --config /etc/compute-lb/lb.conf --probe

Exit codes: 0 done, 1 failed while running, 2 bad configuration, 64 bad usage.
`;
}

/** The help of one command, at most 80 columns wide. */
export async function describeCommand(command: Command): Promise<string> {
  const { usage, text, flags, notes, moreNotes, examples } = command;
  return [
    `Usage: compute-lb ${usage}\n`,
    text,
    ...(flags.length === 0 ? [] : [`Flags:\n${describeFlags(flags)}`]),
    ...(notes === undefined ? [] : [notes]),
    ...(moreNotes === undefined ? [] : [await moreNotes()]),
    `Examples:\n${examples.map((line) => `  compute-lb ${line}\n`).join("")}`,
  ].join("\n");
}

function listed(all: readonly { readonly name: string; readonly summary: string }[]): string {
  const column = Math.max(...all.map(({ name }) => name.length)) + 2;
  return all.map(({ name, summary }) => `  ${name.padEnd(column)}${summary}\n`).join("");
}

function describeFlags(flags: readonly Flag[]): string {
  return flags.map((flag) => {
    // As wrap() indents what follows by two more than the line.
    const [first = "", ...rest] = wrap(
      `${" ".repeat(FLAG_COLUMN - 2)}  ${flag.text}`,
      WIDTH,
    ).split("\n").map((line) => line.trim());
    const lines = [first, ...rest].map((line) => " ".repeat(FLAG_COLUMN) + line);
    const head = `  ${flag.letter === undefined ? "    " : `-${flag.letter}, `}${written(flag)}`;
    const text = lines.join("\n");
    return head.length < FLAG_COLUMN
      ? `${head.padEnd(FLAG_COLUMN)}${text.slice(FLAG_COLUMN)}\n`
      : `${head}\n${text}\n`;
  }).join("");
}

/** A flag with what stands for its value. */
export function written({ name, argument }: Flag): string {
  return argument === undefined ? `--${name}` : `--${name} ${argument}`;
}
