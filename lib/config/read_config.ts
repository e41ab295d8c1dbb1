// From the text of lb.conf and the flags to a Config, or to all that is wrong with them, in one run.

import { quote } from "../schema/quote.ts";
import { buildConfig } from "./build.ts";
import { checkDraft, type CheckIssue } from "./checks.ts";
import type { Config } from "./config.ts";
import { type ConfigError, type ConfigPath, formatPath, sortConfigErrors } from "./config_error.ts";
import { takeDuplicatesOut } from "./duplicates.ts";
import { Locator } from "./locate.ts";
import { applyOverrides, type Overlaid, type Overrides } from "./overrides.ts";
import { applySchema, type SchemaIssue } from "./schema.ts";
import {
  isList,
  isMapping,
  mappingOf,
  parseYaml,
  valueAt,
  type YamlResult,
  type YamlValue,
} from "./yaml.ts";

/** Where a configuration comes from. */
export interface ConfigInput {
  /** The file's name, for messages, and what it holds. Absent: there is no file. */
  readonly file?: { readonly path: string; readonly text: string };
  /** What flags say; it wins over the file. */
  readonly overrides?: Overrides;
}

/** A configuration, or every fault, sorted by place. */
export type ReadResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly errors: readonly ConfigError[] };

interface Issue extends SchemaIssue {
  readonly dependsOn?: readonly ConfigPath[];
}

/** Reads a configuration. Pure: no file is opened, nothing is resolved. Never throws. */
export function readConfig({ file, overrides = {} }: ConfigInput): ReadResult {
  const { parsed, duplicates } = parseFile(file);
  if (!parsed.ok) {
    // The flags are still read, so that their faults are told in the same run.
    const flagFaults = faultsOf(applyOverrides(null, overrides));
    const errors = [syntaxFault(file, parsed), ...duplicates, ...flagFaults];
    return { ok: false, errors: sortConfigErrors(errors) };
  }
  const overlaid = applyOverrides(parsed.value, overrides);
  const early = [...duplicates, ...overlaid.errors];
  const place = placer(file, parsed.value, overlaid);
  const result = applySchema(overlaid.tree);
  if (result.ok) {
    const issues = checkDraft(result.draft);
    if (issues.length === 0 && early.length === 0) {
      return { ok: true, config: buildConfig(result.draft) };
    }
    return { ok: false, errors: sortConfigErrors([...early, ...issues.map(place)]) };
  }
  const issues: Issue[] = [...result.issues, ...issuesBeside(overlaid.tree, result.issues)];
  return { ok: false, errors: sortConfigErrors([...early, ...issues.map(place)]) };
}

/** Reads the file; of keys that stand in a mapping twice, the first counts. */
function parseFile(
  file: ConfigInput["file"],
): { readonly parsed: YamlResult; readonly duplicates: readonly ConfigError[] } {
  const parsed = parseYaml(file?.text ?? "");
  if (file === undefined || parsed.ok || parsed.isDuplicateKey === undefined) {
    return { parsed, duplicates: [] };
  }
  const { duplicates, text } = takeDuplicatesOut(file.text);
  const lines = file.text.split("\n");
  return {
    parsed: duplicates.length === 0 ? parsed : parseYaml(text),
    duplicates: duplicates.map(({ path, key, place, firstLine }) => ({
      file: file.path,
      line: place.line,
      column: place.column,
      path: formatPath(path),
      message: `Cannot use the key ${quote(key)} twice: it stands in line ${firstLine} already`,
      excerpt: lines[place.line - 1] ?? "",
    })),
  };
}

/** The flags' own faults, when there is no tree to lay them over. */
function faultsOf(overlaid: Overlaid): ConfigError[] {
  const result = applySchema(overlaid.tree);
  if (result.ok) return [];
  return result.issues.map(({ path, at: _, ...about }) => ({
    path: overlaid.flagAt(path) ?? formatPath(path),
    ...about,
  }));
}

function syntaxFault(
  file: ConfigInput["file"],
  fault: { readonly message: string; readonly line: number; readonly column: number },
): ConfigError {
  const { message, line, column } = fault;
  const excerpt = file?.text.split("\n")[line - 1];
  return {
    ...(file === undefined ? {} : { file: file.path }),
    line,
    column,
    path: "",
    message,
    ...(excerpt === undefined ? {} : { excerpt }),
  };
}

/** Words a fault in a value that only the system can see, as those that are found in reading. */
export function faultAt(
  { file, overrides = {} }: ConfigInput,
  path: ConfigPath,
  message: string,
): ConfigError {
  const { parsed } = parseFile(file);
  const tree = parsed.ok ? parsed.value : null;
  return placer(file, tree, applyOverrides(tree, overrides))({ path, at: "value", message });
}

/** Gives an issue its place: the flag that said it, or the line of the file. */
function placer(
  file: ConfigInput["file"],
  fileTree: YamlValue,
  overlaid: Overlaid,
): (issue: Issue) => ConfigError {
  const locator = new Locator(file?.text ?? "", fileTree);
  const lines = file?.text.split("\n") ?? [];
  return ({ path, at, dependsOn, ...about }) => {
    const flag = overlaid.flagAt(path);
    if (flag !== undefined) return { path: flag, ...about };
    const written = formatPath(path);
    if (file === undefined) return MISSING_FLAGS[written] ?? { path: written, ...about };
    if (path.length === 1 && valueAt(fileTree, path) === undefined) {
      // A missing section has no place.
      return { file: file.path, path: written, ...about };
    }
    const { line, column } = locator.find(path, at);
    const isUnknownKey = at === "key" && dependsOn === undefined;
    const excerpt = lines[line - 1];
    return {
      file: file.path,
      line,
      column,
      path: isUnknownKey ? formatPath(path.slice(0, -1)) : written,
      ...about,
      ...(excerpt === undefined ? {} : { excerpt }),
    };
  };
}

/** Without a file, what is missing is a flag. */
const MISSING_FLAGS: Readonly<Record<string, ConfigError>> = {
  frontends: {
    path: "--listen",
    message: "Cannot run without a frontend: expected --listen ADDRESS, or --config FILE",
  },
  pools: {
    path: "--backends",
    message:
      "Cannot run without backends: expected --backends HOST,..., --discover SOURCE or --feed ENDPOINT, or --config FILE",
  },
};

/** What else is wrong, were the faults found so far mended. */
function issuesBeside(tree: YamlValue, found: readonly SchemaIssue[]): Issue[] {
  const faulty = found.map((issue) => issue.path);
  const pruned = prune(tree, faulty);
  const result = applySchema(pruned.tree);
  // A misspelt key stands for the one that was meant.
  const meant = found.flatMap(({ path, at, suggestion }) =>
    at === "key" && suggestion !== undefined ? [[...path.slice(0, -1), suggestion]] : []
  );
  const isDoubtful = doubtsAbout([...faulty, ...meant]);
  if (!result.ok) {
    return result.issues.map((issue) => ({ ...issue, path: pruned.original(issue.path) }))
      .filter(({ path }) => !isDoubtful(path));
  }
  // Issues may share what they were concluded from.
  const known = new Map<readonly ConfigPath[], boolean>();
  const isNews = ({ dependsOn }: CheckIssue) => {
    const news = known.get(dependsOn) ?? !dependsOn.map(pruned.original).some(isDoubtful);
    known.set(dependsOn, news);
    return news;
  };
  return checkDraft(result.draft).filter(isNews)
    .map((issue) => ({ ...issue, path: pruned.original(issue.path) }));
}

/** Tells whether what stands at a path, or directly in it, was taken away. */
function doubtsAbout(faulty: readonly ConfigPath[]): (path: ConfigPath) => boolean {
  const gone = new Set(faulty.map((path) => JSON.stringify(path)));
  const incomplete = new Set(faulty.map((path) => JSON.stringify(path.slice(0, -1))));
  return (path) =>
    incomplete.has(JSON.stringify(path)) ||
    [...path.keys(), path.length].some((end) => gone.has(JSON.stringify(path.slice(0, end))));
}

interface Pruned {
  readonly tree: YamlValue;
  /** Turns a path into the pruned tree into the path into the whole one. */
  readonly original: (path: ConfigPath) => ConfigPath;
}

/** Takes away what stands at some paths. */
function prune(tree: YamlValue, paths: readonly ConfigPath[]): Pruned {
  const gone = new Set(paths.map((path) => JSON.stringify(path)));
  const keptIndexes = new Map<string, readonly number[]>();
  const copy = (value: YamlValue, path: ConfigPath): YamlValue => {
    const remains = (step: string | number) => !gone.has(JSON.stringify([...path, step]));
    if (isList(value)) {
      const kept = [...value.keys()].filter(remains);
      keptIndexes.set(JSON.stringify(path), kept);
      return kept.map((index) => copy(value[index] ?? null, [...path, index]));
    }
    if (!isMapping(value)) return value;
    return mappingOf(
      Object.entries(value).filter(([key]) => remains(key))
        .map(([key, inner]) => [key, copy(inner, [...path, key])] as const),
    );
  };
  const original = (path: ConfigPath) =>
    path.reduce<ConfigPath>((whole, step) => {
      const kept = typeof step === "number" ? keptIndexes.get(JSON.stringify(whole)) : undefined;
      return [...whole, typeof step === "number" ? kept?.[step] ?? step : step];
    }, []);
  return { tree: gone.has("[]") ? null : copy(tree, []), original };
}
