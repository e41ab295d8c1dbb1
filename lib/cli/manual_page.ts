// The manual page, roff for man(1): commands and topics in one page.

import type { Topic } from "../manual/topics.ts";
import { VERSION, VERSION_DATE } from "../version.ts";
import { type Command, type Flag } from "./command.ts";
import { written } from "./help_text.ts";

/** Writes the page compute-lb(8). */
export async function manualPage(
  commands: readonly Command[],
  topics: readonly Topic[],
): Promise<string> {
  const described = await Promise.all(commands.map(describe));
  return [
    `.TH COMPUTE\\-LB 8 ${VERSION_DATE} "compute\\-lb ${VERSION}"`,
    // Neither words nor lines are stretched: what is copied can be typed.
    ".nh",
    ".ad l",
    ".SH NAME",
    "compute\\-lb \\- balance sessions onto the compute server with the most CPU free",
    ".SH SYNOPSIS",
    ...commands.map(({ usage }, index) =>
      `${index === 0 ? "" : ".br\n"}.B compute\\-lb\n${escaped(usage)}`
    ),
    ".SH COMMANDS",
    ...described.flat(),
    ...topics.flatMap(({ name, summary, text }) => [
      `.SH ${escaped(name.toUpperCase())}`,
      escaped(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`),
      ...formatBlocks(text.slice(text.indexOf("\n"))),
    ]),
    ".SH EXIT STATUS",
    "0 done, 1 failed while running, 2 bad configuration, 64 bad usage.",
    ".SH FILES",
    ".TP\n.I /etc/compute\\-lb/lb.conf\nthe configuration",
    ".TP\n.I /var/lib/compute\\-lb\nthe home of the service: keys of ssh, recordings",
  ].join("\n").replaceAll(/^(\.S[HS] .*)\n\.PP$/gm, "$1") + "\n";
}

async function describe(command: Command): Promise<string[]> {
  const { name, text, flags, notes = "", moreNotes, examples } = command;
  return [
    `.SS ${escaped(name)}`,
    ...formatBlocks(text),
    ...flags.map(describeFlag),
    ...formatBlocks(notes),
    ...formatBlocks(await moreNotes?.() ?? ""),
    ".PP\nExamples:",
    ...formatBlocks(examples.map((line) => `    compute-lb ${line}`).join("\n")),
  ];
}

function describeFlag(flag: Flag): string {
  const short = flag.letter === undefined ? "" : `-${flag.letter}, `;
  return `.TP\n.B ${escaped(short + written(flag))}\n${escaped(flag.text)}`;
}

/**
 * Turns text into roff. A line in capitals is a heading, what begins in the first column a paragraph;
 * lines with two spaces that are followed by lines with six are terms and their definitions, and so is a
 * word of its own with what stands below it behind two; other indented lines stay as they are.
 */
function formatBlocks(text: string): string[] {
  return text.split(/\n(?:[ \t]*\n)+/).map((block) => block.replace(/^\n+|\s+$/g, ""))
    .filter((block) => block !== "").flatMap((block) => {
      if (/^[A-Z][A-Z0-9 ,'()-]*$/.test(block)) return [`.SS ${escaped(block)}`];
      if (/^(?: {2}\S.*\n(?: {6}\S.*(?:\n|$))+)+$/.test(block)) return [formatTerms(block)];
      if (/^\S+\n(?: {2}\S.*(?:\n|$))+$/.test(block)) return [formatKey(block)];
      const lines = block.split("\n");
      const verbatim = lines.findIndex((line) => line.startsWith(" "));
      const [above, below] = verbatim === -1
        ? [lines, []]
        : [lines.slice(0, verbatim), lines.slice(verbatim)];
      return [
        ...(above.length === 0 ? [] : [`.PP\n${above.map(escaped).join("\n")}`]),
        ...(below.length === 0
          ? []
          : [`.PP\n.nf\n${unindented(below).map(escaped).join("\n")}\n.fi`]),
      ];
    });
}

/** What config/ says of a key: sentences, then lines that begin with a word and a colon. */
function formatKey(block: string): string {
  const [key = "", ...lines] = block.split("\n").map((line) => escaped(line.trim()));
  return [
    `.TP\n.B ${key}`,
    ...lines.map((line) => /^(?:[A-Z]\w+: |Required)/.test(line) ? `.br\n${line}` : line),
  ]
    .join("\n");
}

/** The page has a margin of its own. */
function unindented(lines: readonly string[]): string[] {
  const margin = Math.min(...lines.map((line) => line.search(/\S/)));
  return lines.map((line) => line.slice(margin));
}

function formatTerms(block: string): string {
  return block.split("\n").map((line) =>
    line.startsWith("      ") ? escaped(line.trim()) : `.TP\n.B ${escaped(line.trim())}`
  ).join("\n");
}

/** So that roff shows it as it is, and what is copied from the page can be typed. */
function escaped(line: string): string {
  return line
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("'", "\\(aq")
    .replaceAll("`", "\\(ga")
    .replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti")
    .replaceAll('"', "\\(dq")
    .replace(/^(?=[.])/, "\\&");
}
