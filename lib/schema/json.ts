// Reads JSON by a declaration, as bodies of requests and files of our own hold it: every fault with the field
// where it is, what was found and what was expected.

import { didYouMean } from "../core/values/nearest.ts";
import { printable } from "../core/values/printable.ts";
import { type Declaration, describeKind, readDeclared, type SchemaFault } from "./declarations.ts";
import { quote } from "./quote.ts";

/** What is wrong at one place. */
export interface JsonFault {
  /** Such as `backends[2].weight`; "": the whole. */
  readonly field: string;
  readonly message: string;
}

export type JsonReading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly faults: readonly [JsonFault, ...JsonFault[]] };

/** Deeper than anything that is declared. */
const MOST_DEPTH = 16;
/** So many faults are told. */
const MOST_FAULTS = 20;

/**
 * Reads a text. Numbers and booleans are read as their text, as everywhere.
 * @param nullAs what `null` stands for in a field of that name; absent: for nothing.
 */
export function readJson<T>(
  declaration: Declaration<T>,
  text: string,
  nullAs: (field: string) => string | null = () => null,
): JsonReading<T> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    const why = printable(error instanceof Error ? error.message : String(error));
    return fault("", `Cannot read it: expected JSON (${why})`);
  }
  if (isTooDeep(parsed, MOST_DEPTH)) {
    return fault("", `Cannot read it: expected at most ${MOST_DEPTH} levels of JSON`);
  }
  return readTexts(declaration, textsOf(parsed, nullAs));
}

/**
 * Reads a tree of texts.
 * @param what what one of its parts is called.
 */
export function readTexts<T>(
  declaration: Declaration<T>,
  tree: unknown,
  what = "field",
): JsonReading<T> {
  const read = readDeclared(declaration, tree);
  if (read.ok) return read;
  const [first, ...others] = read.issues.flatMap((issue) => word(issue, declaration, tree, what));
  return first === undefined
    ? fault("", "Cannot read it: expected something else")
    : { ok: false, faults: [first, ...others.slice(0, MOST_FAULTS - 1)] };
}

function fault(field: string, message: string): { ok: false; faults: [JsonFault] } {
  return { ok: false, faults: [{ field, message }] };
}

function isTooDeep(value: unknown, left: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return left === 0 || Object.values(value).some((inner) => isTooDeep(inner, left - 1));
}

function textsOf(
  value: unknown,
  nullAs: (field: string) => string | null,
  field = "",
): unknown {
  if (value === null) return field === "" ? null : nullAs(field);
  if (Array.isArray(value)) return value.map((inner) => textsOf(inner, nullAs, field));
  if (typeof value !== "object") return String(value);
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, textsOf(inner, nullAs, key)]),
  );
}

function word(
  issue: SchemaFault,
  declaration: Declaration,
  tree: unknown,
  what: string,
): JsonFault[] {
  const field = fieldOf(issue.path);
  const known = Object.keys(declarationAt(declaration, issue.path)?.below ?? {});
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => {
      const meant = didYouMean(key, known);
      return {
        field: fieldOf([...issue.path, key]),
        message: `Unknown ${what} ${quote(key)}: ${meant || `expected ${known.join(", ")}`}`,
      };
    });
  }
  if (issue.code === "invalid_type") {
    const found = describe(valueAt(tree, issue.path));
    const expected = issue.expected === "array" ? "a list" : `fields (${known.join(", ")})`;
    return [{ field, message: `Cannot read ${found} here: expected ${expected}` }];
  }
  return [{ field, message: issue.message }];
}

/** What stands at a path; where one item stands for a list of one, the path has a step that the tree has not. */
function valueAt(tree: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, step) => {
    if (typeof at !== "object" || at === null) return at;
    return Object.entries(at).find(([key]) => key === String(step))?.[1];
  }, tree);
}

function describe(value: unknown): string {
  return typeof value === "string" ? quote(value) : describeKind(value);
}

function fieldOf(path: readonly PropertyKey[]): string {
  return path.map((step, index) => {
    if (typeof step === "number") return `[${step}]`;
    return (index === 0 ? "" : ".") + printable(String(step));
  }).join("");
}

function declarationAt(
  declaration: Declaration,
  path: readonly PropertyKey[],
): Declaration | undefined {
  return path.reduce<Declaration | undefined>((at, step) => {
    const below = at?.below ?? {};
    const key = String(step);
    return Object.hasOwn(below, key) ? below[key] : below["*"];
  }, declaration);
}
