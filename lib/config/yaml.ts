// YAML text to a plain tree and back; the one importer of @std/yaml. Every scalar stays the text that
// was written: what 010, 2026-01-01 or 1_000 mean is the schema's affair, not YAML's. Documents that
// expand without bound, refer to themselves or nest too deep are refused.

import { parse, stringify } from "@std/yaml";
import { messageOf } from "../core/values/errors.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import type { Draft } from "../schema/declarations.ts";
import type { ConfigPath } from "./config_error.ts";

/** What a document holds: text, nothing, lists and mappings. */
export type YamlValue = string | null | readonly YamlValue[] | YamlMapping;

/** A mapping without a prototype, so that no key is special. */
export interface YamlMapping {
  readonly [key: string]: YamlValue;
}

/** What came of reading: a tree, or the one place where reading stopped. */
export type YamlResult =
  | { readonly ok: true; readonly value: YamlValue }
  | {
    readonly ok: false;
    readonly message: string;
    /** Counted from 1, inside the text. */
    readonly line: number;
    readonly column: number;
    /** Whether it is a key that its mapping has already, and no fault of syntax. */
    readonly isDuplicateKey?: true;
  };

/** A list of 10 000 backends, each with every key, takes less. */
const MAX_CHARACTERS = 2 ** 20;
const MAX_NODES = 200_000;
const MAX_DEPTH = 32;
const MAX_INDICATORS = 64;

/**
 * Reads one YAML document (1.2, failsafe schema: no numbers, dates or booleans are guessed). Aliases
 * are expanded; merge keys are ordinary keys. Never throws.
 */
export function parseYaml(text: string): YamlResult {
  if (text.length > MAX_CHARACTERS) {
    return stopped(
      `Cannot read ${text.length} characters: expected at most ${MAX_CHARACTERS}`,
      1,
      1,
    );
  }
  const early = findTabIndent(text) ?? findDeepNesting(text);
  if (early !== undefined) return early;
  let document: unknown;
  try {
    document = parse(text, { schema: "failsafe" });
  } catch (error) {
    return syntaxError(error, text);
  }
  const copy = copyTree(document);
  return copy.ok ? copy : stopped(copy.message, 1, 1);
}

/** Writes a tree as a YAML document that {@linkcode parseYaml} reads back the same. */
export function stringifyYaml(value: Draft): string {
  return stringify(value, { lineWidth: -1, useAnchors: false, compatMode: false });
}

/** Tells whether a value is a mapping. */
export function isMapping(value: unknown): value is YamlMapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Tells whether a value is a list. */
export function isList(value: YamlValue | undefined): value is readonly YamlValue[] {
  return Array.isArray(value);
}

/** The value at a path, or undefined where there is none. */
export function valueAt(root: YamlValue, path: ConfigPath): YamlValue | undefined {
  let value: YamlValue | undefined = root;
  for (const step of path) {
    if (typeof step === "number") value = isList(value) ? value[step] : undefined;
    else value = isMapping(value) && Object.hasOwn(value, step) ? value[step] : undefined;
  }
  return value;
}

/** A mapping without prototype from pairs; the last of equal keys counts. */
export function mappingOf(entries: Iterable<readonly [string, YamlValue]>): YamlMapping {
  const mapping: Record<string, YamlValue> = Object.create(null);
  for (const [key, value] of entries) mapping[key] = value;
  return mapping;
}

function stopped(message: string, line: number, column: number): YamlResult {
  return { ok: false, message, line, column };
}

/** The library takes a tab for nothing at all, so that what it indents moves up a level. */
function findTabIndent(text: string): YamlResult | undefined {
  const match = /^( *)\t[ \t]*[^\s#]/m.exec(text);
  if (match === null) return undefined;
  const line = text.slice(0, match.index).split("\n").length;
  return stopped("Cannot indent with a tab: expected spaces", line, (match[1] ?? "").length + 1);
}

/**
 * Refuses nesting before the recursive parser meets it. Counts brackets that are open, and block
 * indicators one behind the other, whatever they stand in: text that holds so many is no lb.conf.
 */
function findDeepNesting(text: string): YamlResult | undefined {
  let open = 0;
  let indicators = 0;
  let line = 1;
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? "";
    if (character === "\n") line++;
    if (character === "[" || character === "{") open++;
    else if ((character === "]" || character === "}") && open > 0) open--;
    if (/[-?:]/.test(character) && /\s/.test(text[at + 1] ?? " ")) indicators++;
    else if (character !== " " && character !== "\n" && character !== "\t") indicators = 0;
    if (open > MAX_DEPTH || indicators > MAX_INDICATORS) return tooDeep(line);
  }
  return undefined;
}

function tooDeep(line: number): YamlResult {
  return stopped(`Cannot read nesting deeper than ${MAX_DEPTH} levels`, line, 1);
}

/** Reads the position at the end of the library's message and words the rest as ours. */
function syntaxError(error: unknown, text: string): YamlResult {
  if (error instanceof RangeError) return tooDeep(1);
  const [firstLine = ""] = messageOf(error).split("\n");
  const match = /^(.*) at line (\d+), column (-?\d+):?$/.exec(firstLine);
  const lines = text.split("\n");
  let line = Number(match?.[2] ?? 1);
  let column = Number(match?.[3] ?? 1);
  // The end of the document is reported on the empty line behind it.
  while (line > 1 && (lines[line - 1] ?? "").trim() === "") {
    line--;
    column = (lines[line - 1] ?? "").trimEnd().length + 1;
  }
  let reason = match?.[1] ?? firstLine;
  const colon = /multiline key|bad indentation|document separator/.test(reason)
    ? missingColon(lines, line)
    : undefined;
  if (colon !== undefined) return colon;
  if (/bad indentation/.test(reason)) {
    reason =
      "Cannot read this line where it stands: expected as many spaces as before the keys beside it";
  }
  const isDuplicateKey = reason.endsWith("duplicated key");
  if (isDuplicateKey) reason = "Cannot use a key twice: the mapping has it already";
  const message = /^Cannot /.test(reason) ? reason : `Cannot read YAML: ${reason}`;
  return {
    ...stopped(message.replace(/[\p{Cc}]/gu, " "), line, Math.max(column, 1)),
    ...(isDuplicateKey ? { isDuplicateKey } : {}),
  };
}

/**
 * Finds a key without a colon, which the parser takes for text that goes on in the next lines until it
 * meets the colon of another key, where it reports the fault.
 * @param reported where it did, counted from 1.
 */
function missingColon(lines: readonly string[], reported: number): YamlResult | undefined {
  const texts = lines.map((line) => line.replace(/(^|\s)#.*$/, "").trimEnd());
  const indentOf = (at: number) => /^ */.exec(texts[at] ?? "")?.[0].length ?? 0;
  const isBare = (at: number) =>
    /^ *(- +)*[\p{L}\p{N}_]/u.test(texts[at] ?? "") && !/:(\s|$)/.test(texts[at] ?? "");
  const before = (at: number) => {
    let above = at - 1;
    while (texts[above] === "") above--;
    return above;
  };
  const message = 'Cannot read this line with the next: expected "key: value", is a colon missing?';
  // "key {" on the reported line, or above it "key" alone with what is meant for it below.
  const bracket = /^( *(?:- +)*\w[\w-]*) *[{[]/.exec(texts[reported - 1] ?? "")?.[1];
  if (bracket !== undefined) return stopped(message, reported, bracket.length + 1);
  for (let line = reported - 2; line >= 0 && indentOf(line) >= indentOf(reported - 1); line--) {
    const isItem = /^ *- /.test(texts[line + 1] ?? "");
    if (isItem && /^ *\w[\w-]*$/.test(texts[line] ?? "")) {
      return stopped(message, line + 1, (texts[line] ?? "").length + 1);
    }
  }
  let at = isBare(reported - 1) ? reported - 1 : before(reported - 1);
  if (!isBare(at)) return undefined;
  let above = before(at);
  while (isBare(above) && indentOf(above) === indentOf(at)) [at, above] = [above, before(above)];
  // Behind a value it may well be text that goes on.
  if (indentOf(at) > indentOf(above) && !texts[above]?.endsWith(":")) return undefined;
  const key = /^ *(- +)*[^\s:]+/.exec(texts[at] ?? "")?.[0] ?? "";
  return stopped(message, at + 1, key.length + 1);
}

/** Expands aliases into a tree of our own, within bounds. */
function copyTree(document: unknown): Result<YamlValue> {
  let nodes = 0;
  let fault: string | undefined;
  const copy = (value: unknown, depth: number): YamlValue => {
    if (fault !== undefined) return null;
    nodes++;
    if (nodes > MAX_NODES) {
      fault = `Cannot read the document: it expands to more than ${MAX_NODES} values`;
      return null;
    }
    if (typeof value === "string") return value;
    if (typeof value !== "object" || value === null) return null;
    if (depth >= MAX_DEPTH) {
      fault = `Cannot read nesting deeper than ${MAX_DEPTH} levels (an alias inside itself?)`;
      return null;
    }
    if (Array.isArray(value)) return value.map((item) => copy(item, depth + 1));
    // What the library makes of a key that is itself a mapping ("? {a: b}").
    if (Object.hasOwn(value, "[object Object]")) {
      fault = "Cannot use a mapping as a key: expected text";
    }
    return mappingOf(
      Object.entries(value).map(([key, item]) => [key, copy(item, depth + 1)] as const),
    );
  };
  const value = copy(document, 0);
  return fault === undefined ? success(value) : failure(fault);
}
