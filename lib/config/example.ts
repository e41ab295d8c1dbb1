// lb.conf.example: every key with its default and what people read of it, as the declarations say it.

import type { Declaration } from "../schema/declarations.ts";
import { document } from "./document.ts";

const HEAD = `# lb.conf.example - every key of compute-lb's configuration (YAML).
#
# Each comment says: (required | optional [default]) what is accepted.
# Keys that stand behind "#" are optional and not set here; remove the "#" to set them.
# "compute-lb check --config FILE" validates a file; with --effective it prints all of it.
#
# Durations:  100ms, 10s, 5m, 1h30m, 2d.       Sizes:  4KiB, 64KiB, 1MiB.
# Addresses:  ":22" (every local address), "192.0.2.1:22", "[2001:db8::1]:22",
#             "name:22", "unix:/path". Quote those that begin with "[" or ":".
# Every value is read as it is written: 010, yes and 1_000 are errors, not numbers.
`;

/** Where comments behind keys begin, how long their first part is, and where other comments are broken. */
const COMMENT_COLUMN = 34;
const TAG_WIDTH = 19;
const WIDTH = 90;

/** Writes lb.conf.example. */
export function exampleConfig(): string {
  return `${HEAD}${linesOf(document, "", true).join("\n")}\n`;
}

/** The lines of what stands below; with room, parts stand apart. */
function linesOf({ below }: Declaration, indent: string, hasRoom: boolean): string[] {
  let wasPart = indent === "";
  return Object.entries(below ?? {}).flatMap(([key, inner]) => {
    const isPart = !isOneLine(inner);
    const gap = hasRoom && (isPart || wasPart) ? [""] : [];
    wasPart = isPart;
    return [...gap, ...linesOfKey(key, inner, indent)];
  });
}

function linesOfKey(key: string, declaration: Declaration, indent: string): string[] {
  const { about, kind, below, samples = [] } = declaration;
  const doc = wrapped(sentence(about.doc), WIDTH - indent.length).map((line) =>
    `${indent}# ${line}`
  );
  const tag = `${tagOf(about).padEnd(TAG_WIDTH)} ${acceptedBy(declaration) ?? ""}`.trim();
  if (isOneLine(declaration)) {
    const mark = isCommentedOut(declaration) ? "# " : "";
    return [...doc, commented(`${indent}${mark}${key}: ${shown(declaration)}`, tag)];
  }
  const own = [...doc, commented(`${indent}${key}:`, tag)];
  const deeper = `${indent}  `;
  const inner = below?.["*"];
  if (inner === undefined) return [...own, ...linesOf(declaration, deeper, false)];
  if (inner.kind === "chosen") return linesOfChoices(doc, key, declaration, inner, indent);
  if (kind === "named") {
    return [...own, `${deeper}${about.example}:`, ...linesOf(inner, `${deeper}  `, true)];
  }
  const items = samples.map(([text, said]) => commented(`${deeper}- ${text}`, said));
  const [first = "", ...rest] = linesOf(inner, `${deeper}  `, false);
  // The comment on the first key of an item begins the item: the dash belongs to the key below.
  const at = [first, ...rest].findIndex((line) => !line.trimStart().startsWith("#"));
  const lines = [first, ...rest].map((line, index) =>
    index === at ? line.replace(/^( *) {2}(?=\S)/, "$1- ") : line
  );
  return [...own, ...items, ...lines];
}

/** A list that nobody must have: all of it stands behind "#", each choice as an item. */
function linesOfChoices(
  doc: readonly string[],
  key: string,
  { about }: Declaration,
  { below }: Declaration,
  indent: string,
): string[] {
  const [[by, chooser] = ["", undefined], ...choices] = Object.entries(below ?? {});
  const items = choices.flatMap(([name, section]) => [
    ...wrapped(sentence(section.about.doc), WIDTH - indent.length - 6).map((text) => `  # ${text}`),
    commented(`  - ${by}: ${name}`, tagOf(chooser?.about ?? section.about)),
    // What is behind "#" twice would not be found.
    ...linesOf(section, "    ", false).map((line) => line.replace(/^( *)# (?=[a-z_]+: )/, "$1")),
  ]);
  const head = commented(`${key}:`, `${tagOf(about)} text or mapping`);
  return [...doc, ...[head, ...items].map((line) => `${indent}# ${line}`)];
}

/** Whether a key is written on one line, with all that is below. */
function isOneLine({ about, kind, below }: Declaration): boolean {
  if (kind === "value") return true;
  if (kind === "named") return below?.["*"]?.below === null;
  return below === null || about.example !== undefined;
}

function isCommentedOut({ about }: Declaration): boolean {
  return about.default === undefined && about.required !== "" && about.example !== undefined;
}

function shown({ about, kind }: Declaration): string {
  if (about.example !== undefined) return about.example;
  if (about.default !== undefined) return yamlText(about.default);
  return kind === "named" ? "{}" : "[]";
}

/** A text as YAML reads it, without quotes where none are needed. */
function yamlText(text: string): string {
  return /^[\w./%-]+$/.test(text) ? text : JSON.stringify(text);
}

/** "(optional [10s])", "(required)": whether a key must be set, and what holds else. */
function tagOf({ required, unset, default: byDefault }: Declaration["about"]): string {
  if (required !== undefined) return `(required${required === "" ? "" : ` ${required}`})`;
  const otherwise = unset ?? (byDefault === "" ? '""' : byDefault);
  return otherwise === undefined ? "" : `(optional [${otherwise}])`;
}

/** What a key accepts, in words; undefined for a section. */
export function acceptedBy({ about, value }: Declaration): string | undefined {
  return about.accepts ?? value?.accepts;
}

function commented(line: string, comment: string): string {
  return comment === "" ? line : `${line.padEnd(COMMENT_COLUMN - 1)} # ${comment}`;
}

/** What is said of a key, as a sentence. */
export function sentence(doc: string): string {
  return doc === "" ? "" : `${doc.charAt(0).toUpperCase()}${doc.slice(1).replace(/\.$/, "")}.`;
}

/** Text on lines of at most so many characters, as far as its words allow. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.filter((line) => line !== "");
}
