// Lays what the command line says over what the file says, and remembers which flag said it.

import { type ConfigError, type ConfigPath, someOf } from "./config_error.ts";
import { isMapping, mappingOf, valueAt, type YamlValue } from "./yaml.ts";

/** The flags that stand in for keys of the file, and where each of them leads. */
const FLAGS = [
  { flag: "--listen", key: "listen", isList: true, only: "frontends", path: ["listen"] },
  { flag: "--backends", key: "backends", isList: true, only: "pools", path: ["backends"] },
  { flag: "--discover", key: "discover", isList: true, only: "pools", path: ["discovery"] },
  { flag: "--feed", key: "feed", isList: true, only: "pools", path: ["feed"] },
  { flag: "--strategy", key: "strategy", only: "pools", path: ["strategy"] },
  { flag: "--load", key: "load", only: "pools", path: ["load", "source"] },
  { flag: "--health", key: "health", only: "pools", path: ["health", "probe"] },
  { flag: "--engine", key: "engine", path: ["engine", "kind"] },
  { flag: "--user", key: "user", path: ["user"] },
  { flag: "--admin-socket", key: "adminSocket", path: ["admin", "socket"] },
  { flag: "--admin-state", key: "adminState", path: ["admin", "state"] },
  { flag: "--admin-http", key: "adminHttp", isList: true, path: ["admin", "http"] },
  { flag: "--admin-token-file", key: "adminTokenFile", path: ["admin", "token_file"] },
  { flag: "--log-level", key: "logLevel", path: ["log", "level"] },
  { flag: "--log-format", key: "logFormat", path: ["log", "format"] },
  { flag: "--record", key: "record", path: ["log", "record"] },
  { flag: "--shutdown-timeout", key: "shutdownTimeout", path: ["shutdown_timeout"] },
] as const satisfies readonly {
  readonly flag: string;
  readonly key: string;
  /** Whether it takes several texts. */
  readonly isList?: true;
  /** Whose only member the path starts in; absent: it starts at the top. */
  readonly only?: "frontends" | "pools";
  readonly path: ConfigPath;
}[];

type Name = typeof FLAGS[number]["key"];
type ListName = Extract<typeof FLAGS[number], { readonly isList: true }>["key"];

/** What flags can say; each text as it was given. */
export type Overrides = {
  readonly [N in Name]?: N extends ListName ? readonly string[] : string;
};

/** What each flag that takes one text, without its dashes, is called among {@linkcode Overrides}. */
export const TEXT_FLAGS: Readonly<Record<string, Exclude<Name, ListName>>> = Object.fromEntries(
  FLAGS.flatMap((one) => "isList" in one ? [] : [[one.flag.slice(2), one.key]]),
);

/** The same of those that take several. */
export const LIST_FLAGS: Readonly<Record<string, ListName>> = Object.fromEntries(
  FLAGS.flatMap((one) => "isList" in one ? [[one.flag.slice(2), one.key]] : []),
);

/** The frontend or pool that flags make when the file has none. */
const MADE_NAME = "main";

/** A tree in which the flags have won. */
export interface Overlaid {
  readonly tree: YamlValue;
  /** The flag that said what stands at a path, if one did. */
  readonly flagAt: (path: ConfigPath) => string | undefined;
  readonly errors: readonly ConfigError[];
}

/** Lays flags over a tree. A flag for "the" pool or frontend needs that there are not several. */
export function applyOverrides(tree: YamlValue, overrides: Overrides): Overlaid {
  const errors: ConfigError[] = [];
  const said: { readonly path: ConfigPath; readonly flag: string }[] = [];
  let overlaid = tree;
  for (const { flag, key, path, ...where } of FLAGS) {
    const value = overrides[key];
    if (value === undefined) continue;
    let full: ConfigPath = path;
    if ("only" in where) {
      const { only } = where;
      const names = namesIn(tree, only);
      if (names.length > 1) {
        const what = only === "pools" ? "pool" : "frontend";
        errors.push({
          path: flag,
          message: `Cannot tell which ${what} is meant: the file has ${someOf(names)}`,
        });
        continue;
      }
      const name = names[0] ?? MADE_NAME;
      full = [only, name, ...path];
      if (names.length === 0) said.push({ path: [only, name], flag });
    }
    overlaid = withValue(overlaid, full, typeof value === "string" ? value : [...value]);
    said.push({ path: full, flag });
  }
  const flagAt = (path: ConfigPath) =>
    said.filter((one) => startsWith(path, one.path))
      // The longest path is the most exact; of equal ones, the first flag made it.
      .reduce<typeof said[number] | undefined>(
        (best, one) => best === undefined || one.path.length > best.path.length ? one : best,
        undefined,
      )?.flag;
  return { tree: overlaid, flagAt, errors };
}

/** Tells whether one path leads into, or to, where the other leads. */
function startsWith(path: ConfigPath, start: ConfigPath): boolean {
  return start.length <= path.length && start.every((step, index) => path[index] === step);
}

function namesIn(tree: YamlValue, section: string): string[] {
  const value = valueAt(tree, [section]);
  return isMapping(value) ? Object.keys(value) : [];
}

/** A copy with one value replaced; where text or a list stands in the way, no change. */
function withValue(tree: YamlValue, path: ConfigPath, value: YamlValue): YamlValue {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  const mapping = tree ?? mappingOf([]);
  if (!isMapping(mapping)) return tree;
  const key = String(step);
  const inner = Object.hasOwn(mapping, key) ? mapping[key] ?? null : null;
  return mappingOf([...Object.entries(mapping), [key, withValue(inner, rest, value)]]);
}
