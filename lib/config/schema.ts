// Reads a document by the declarations, and words what is wrong with it.

import { didYouMean, nearest } from "../core/values/nearest.ts";
import { printable } from "../core/values/printable.ts";
import {
  type Declaration,
  describeKind,
  readDeclared,
  type SchemaFault,
} from "../schema/declarations.ts";
import { quote } from "../schema/quote.ts";
import type { ConfigPath } from "./config_error.ts";
import { type ConfigDraft, document } from "./document.ts";
import { isList, isMapping, valueAt, type YamlValue } from "./yaml.ts";

/** A fault that the schema found. */
export interface SchemaIssue {
  readonly path: ConfigPath;
  /** Whether the key itself is wrong, or its value. For a key, it is the last step of the path. */
  readonly at: "key" | "value";
  readonly message: string;
  readonly suggestion?: string;
}

/** What the schema makes of a tree. */
export type SchemaResult =
  | { readonly ok: true; readonly draft: ConfigDraft }
  | { readonly ok: false; readonly issues: readonly SchemaIssue[] };

/** Checks every value of a tree by itself. */
export function applySchema(tree: YamlValue): SchemaResult {
  const result = readDeclared(document, tree);
  if (result.ok) return { ok: true, draft: result.value };
  return { ok: false, issues: result.issues.flatMap((issue) => wordIssue(issue, tree)) };
}

function wordIssue(issue: SchemaFault, tree: YamlValue): SchemaIssue[] {
  const path = existingPath(
    issue.path.map((step) => typeof step === "symbol" ? String(step) : step),
    tree,
  );
  const at = "value";
  switch (issue.code) {
    case "unrecognized_keys": {
      const known = Object.keys(declarationAt(path, tree)?.below ?? {});
      return issue.keys.map((key) => unknownKey(path, key, known));
    }
    case "invalid_union": {
      const [ofText = [], ofMapping = []] = issue.errors;
      const chosen = isMapping(valueAt(tree, path)) ? ofMapping : ofText;
      return chosen.flatMap((inner) =>
        wordIssue({ ...inner, path: [...path, ...inner.path] }, tree)
      );
    }
    case "invalid_key":
      return [{ path, at: "key", message: issue.issues[0]?.message ?? issue.message }];
    case "invalid_type": {
      const keys = Object.keys(declarationAt(path, tree)?.below ?? {});
      const expected = keys.includes("*")
        ? "names, each with its own keys"
        : `keys (${keys.join(", ")})`;
      const value = valueAt(tree, path);
      const { about, below } = declarationAt(path, tree) ?? {};
      const words = below?.[about?.short ?? ""]?.value?.words ?? [];
      const hint = typeof value === "string" && words.includes(value)
        ? `did you mean { ${about?.short}: ${value} }?`
        : `expected ${expected}`;
      return [{ path, at, message: `Cannot read ${describeValue(value)} here: ${hint}` }];
    }
    default: {
      const meant = /did you mean "([^"]+)"\?$/.exec(issue.message)?.[1];
      const suggestion = meant === undefined ? {} : { suggestion: meant };
      return [{ path, at, message: issue.message, ...suggestion }];
    }
  }
}

/** How a key is written that YAML took together with its value, or with an address before it. */
function meantForm(key: string, known: readonly string[]) {
  const [, name = "", value = ""] = /^(\w+)(?:\s*:|\s)\s*(.+)$/s.exec(key) ?? [];
  if (known.includes(name)) {
    return { key: name, text: `a colon and a space behind it, "${name}: ${printable(value)}"` };
  }
  const [, address = "", other = ""] = /^([^\s,]+), *(\w+)$/.exec(key) ?? [];
  return known.includes("address") && known.includes(other)
    ? { key: "address", text: `{ address: "${printable(address)}", ${other}: ... }` }
    : undefined;
}

function unknownKey(path: ConfigPath, key: string, known: readonly string[]): SchemaIssue {
  const form = meantForm(key, known);
  if (form !== undefined) {
    const message = `Unknown key ${quote(key)}: expected ${form.text}`;
    return { path: [...path, key], at: "key", message, suggestion: form.key };
  }
  const suggestion = nearest(key, known);
  const hint = suggestion === undefined
    ? key === "<<" ? "merge keys are not supported" : `expected one of ${known.join(", ")}`
    : didYouMean(key, known);
  return {
    path: [...path, key],
    at: "key",
    message: `Unknown key ${quote(key)}: ${hint}`,
    ...(suggestion === undefined ? {} : { suggestion }),
  };
}

/** Where one item stands for a list of one, the path has a step that the document has not. */
function existingPath(path: ConfigPath, tree: YamlValue): ConfigPath {
  let kept = path;
  while (kept.length > 0) {
    const parent = valueAt(tree, kept.slice(0, -1));
    const fits = typeof kept.at(-1) === "number" ? isList(parent) : isMapping(parent);
    if (fits) break;
    kept = kept.slice(0, -1);
  }
  return kept;
}

/** What may stand at a path, or undefined where nothing can. */
function declarationAt(path: ConfigPath, tree: YamlValue): Declaration | undefined {
  let at: Declaration | undefined = document;
  for (const [index, step] of [...path, undefined].entries()) {
    // Where it is no mapping, it says itself what it is; its keys stand nowhere.
    at = at?.chosenBy?.(valueAt(tree, path.slice(0, index))) ?? at;
    if (step === undefined) break;
    const below: Declaration["below"] = at?.below ?? {};
    at = typeof step === "string" && Object.hasOwn(below, step) ? below[step] : below["*"];
  }
  return at;
}

function describeValue(value: YamlValue | undefined): string {
  return typeof value === "string" ? quote(value) : describeKind(value);
}
