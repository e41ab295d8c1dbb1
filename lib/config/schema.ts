// The shape of lb.conf: every key, what it accepts and its default (load_sections.ts and
// resilience_sections.ts hold some of its sections). What one value alone cannot tell (references, limits
// between keys) is in checks.ts.

import { parseWeight } from "../core/pool/backend.ts";
import { didYouMean, nearest } from "../core/values/nearest.ts";
import { printable } from "../core/values/printable.ts";
import {
  ENGINE_KINDS,
  FRONTEND_MODES,
  HEALTH_PROBES,
  LOAD_SOURCES,
  LOG_FORMATS,
  LOG_LEVELS,
  STICKY_BY,
} from "./config.ts";
import { FALLBACK_NAMES, STRATEGY_NAMES } from "../strategy/registry.ts";
import { type ConfigPath, quote } from "./config_error.ts";
import {
  absolutePath,
  adminSocket,
  autoOr,
  backendSpec,
  boolean,
  cores,
  country,
  duration,
  durationOrOff,
  entityName,
  integer,
  line,
  listenAddress,
  modeOrUmask,
  network,
  offOr,
  oneOf,
  partialAddress,
  pathOrOff,
  size,
  userName,
} from "./fields.ts";
import { load, loadOverride, memory, pressure } from "./load_sections.ts";
import { blackHoles, outliers, panic, slowStart } from "./resilience_sections.ts";
import {
  DAY,
  describeKind,
  field,
  HOUR,
  interval,
  type KeyTree,
  keyTrees,
  LONGEST,
  named,
  oneOrMany,
  SECOND,
  section,
  timeout,
  treeOf,
  z,
} from "./schema_parts.ts";
import { isList, isMapping, valueAt, type YamlValue } from "./yaml.ts";

/** A fault that the schema found. */
export interface SchemaIssue {
  readonly path: ConfigPath;
  /** Whether the key itself is wrong, or its value. For a key, it is the last step of the path. */
  readonly at: "key" | "value";
  readonly message: string;
  readonly suggestion?: string;
}

const log = section({
  level: field(oneOf(LOG_LEVELS, "a log level"), "a log level").prefault("info"),
  format: field(oneOf(LOG_FORMATS, "a log format"), "a log format").prefault("text"),
  access: field(boolean, "true or false").prefault("true"),
  decisions: field(boolean, "true or false").prefault("true"),
  record: field(pathOrOff, "off or an absolute path").prefault("off"),
}, ({ record, ...rest }) => ({ ...rest, ...(record === undefined ? {} : { record }) }));

const admin = section({
  socket: field(adminSocket, "auto, off or an absolute path").prefault("auto"),
}, (value) => value);

const keepalive = section({
  idle: field(durationOrOff(SECOND, 9 * HOUR), "a duration or off").prefault("110s"),
  interval: field(duration(SECOND, 9 * HOUR), "a duration").prefault("30s"),
  count: field(integer(1, 127), "an integer").prefault("3"),
  user_timeout: field(durationOrOff(SECOND, DAY), "a duration or off").prefault("off"),
}, ({ idle, interval, count, user_timeout }) => ({
  idleSeconds: Math.ceil(idle / SECOND),
  intervalSeconds: Math.ceil(interval / SECOND),
  count,
  userTimeoutMs: user_timeout,
}));

const engine = section({
  kind: field(oneOf(ENGINE_KINDS, "an engine"), "an engine").prefault("auto"),
  workers: field(autoOr(integer(1, 64)), "auto or an integer").prefault("auto"),
  buffer_size: field(size(4 * 1024, 4 * 1024 ** 2), "a size").prefault("64KiB"),
  keepalive,
}, ({ buffer_size, ...rest }) => ({ ...rest, bufferBytes: buffer_size }));

const location = section({
  networks: oneOrMany(field(network, "a network")),
  countries: oneOrMany(field(country, "a country")),
  pool: field(entityName, "the name of a pool").exactOptional(),
}, (value) => value);

const frontend = section({
  mode: field(oneOf(FRONTEND_MODES, "a mode"), "a mode").prefault("tcp"),
  listen: oneOrMany(field(listenAddress, "an address to listen on")),
  pool: field(entityName, "the name of a pool").exactOptional(),
  location: oneOrMany(location),
  max_connections: field(integer(0, 1_000_000), "an integer").prefault("4096"),
  idle_timeout: field(durationOrOff(SECOND, LONGEST), "a duration or off").prefault("off"),
  socket_mode: field(modeOrUmask, "a mode or umask").prefault("umask"),
}, ({ max_connections, idle_timeout, socket_mode, ...rest }) => ({
  ...rest,
  maxConnections: max_connections,
  idleTimeoutMs: idle_timeout,
  ...(socket_mode === undefined ? {} : { socketMode: socket_mode }),
}));

const health = section({
  probe: field(oneOf(["auto", ...HEALTH_PROBES], "a health probe"), "a health probe")
    .prefault("auto"),
  interval: interval.prefault("5s"),
  timeout: timeout.exactOptional(),
  rise: field(integer(1, 100), "an integer").prefault("2"),
  fall: field(integer(1, 100), "an integer").prefault("3"),
  expect: field(line("a banner", 255), "text").prefault("SSH-"),
}, ({ interval, timeout, ...rest }) => ({
  ...rest,
  intervalMs: interval,
  timeoutMs: timeout ?? Math.min(2 * SECOND, interval),
}));

const connect = section({
  timeout: timeout.prefault("3s"),
  retries: field(integer(0, 31), "an integer").prefault("3"),
}, (value) => ({ timeoutMs: value.timeout, retries: value.retries }));

const backendSection = section({
  address: field(partialAddress, 'an address "host[:port]"').exactOptional(),
  cores: field(cores, "a number of cores").exactOptional(),
  weight: field(parseWeight, "a weight").exactOptional(),
  max_connections: field(integer(0, 1_000_000), "an integer").prefault("0"),
  load_address: field(partialAddress, 'an address "host[:port]"').exactOptional(),
  load: loadOverride,
}, ({ address, max_connections, load_address, load, ...rest }) => ({
  ...rest,
  ...(address === undefined ? {} : { address }),
  maxConnections: max_connections,
  ...(load_address === undefined ? {} : { loadAddress: load_address }),
  ...(load === undefined ? {} : { load }),
}));

type BackendDraft = z.output<typeof backendSection>;

const backendText = field(backendSpec, "a backend").transform((
  { address, hasPort, ...rest },
): BackendDraft => ({ ...rest, address: { address, hasPort }, maxConnections: 0 }));

/** A backend: `host[:port][=cores]`, or a mapping. */
const backend = z.union([backendText, backendSection]);
keyTrees.add(backend, { keys: treeOf(backendSection) ?? {} });

const sticky = section({
  by: field(oneOf(STICKY_BY, "what clients stick by"), "off or source").prefault("off"),
  ttl: field(duration(SECOND, 366 * DAY), "a duration").prefault("12h"),
}, ({ by, ttl }) => ({ by, ttlMs: ttl }));

const pace = section({
  sessions: field(offOr(integer(1, 10_000)), "an integer or off").prefault("8"),
  within: field(duration(SECOND, HOUR), "a duration").prefault("10s"),
}, ({ sessions, within }) => ({ sessions, withinMs: within }));

const pool = section({
  strategy: field(oneOf(STRATEGY_NAMES, "a strategy"), "a strategy").prefault("least_load"),
  fallback: field(oneOf(FALLBACK_NAMES, "a fallback"), "a strategy").prefault("round_robin"),
  hash_balance: field(offOr(integer(101, 10_000)), "a percentage or off").prefault("125"),
  sticky,
  pace,
  connect,
  backends: oneOrMany(backend),
  load,
  health,
  memory,
  pressure,
  slow_start: slowStart,
  outliers,
  black_holes: blackHoles,
  panic,
}, ({ hash_balance, slow_start, black_holes, ...rest }) => ({
  ...rest,
  hashBalance: hash_balance,
  slowStartMs: slow_start,
  blackHoles: black_holes,
}));

const document = section({
  log,
  admin,
  engine,
  user: field(userName, "a user name").exactOptional(),
  shutdown_timeout: field(durationOrOff(SECOND, LONGEST), "a duration or off").prefault("off"),
  location_database: field(absolutePath, "an absolute path").exactOptional(),
  frontends: named(frontend),
  pools: named(pool),
}, ({ shutdown_timeout, location_database, ...rest }) => ({
  ...rest,
  shutdownTimeoutMs: shutdown_timeout,
  ...(location_database === undefined ? {} : { locationDatabase: location_database }),
}));

/** A document in which every value alone is right; references are not yet checked. */
export type Draft = z.output<typeof document>;

/** Every key that lb.conf may hold. */
export const KEYS: KeyTree = treeOf(document) ?? {};

/** What the schema makes of a tree. */
export type SchemaResult =
  | { readonly ok: true; readonly draft: Draft }
  | { readonly ok: false; readonly issues: readonly SchemaIssue[] };

/** Checks every value of a tree by itself. */
export function applySchema(tree: YamlValue): SchemaResult {
  const result = document.safeParse(tree);
  if (result.success) return { ok: true, draft: result.data };
  return { ok: false, issues: result.error.issues.flatMap((issue) => wordIssue(issue, tree)) };
}

function wordIssue(issue: z.core.$ZodIssue, tree: YamlValue): SchemaIssue[] {
  const path = existingPath(
    issue.path.map((step) => typeof step === "symbol" ? String(step) : step),
    tree,
  );
  const at = "value";
  switch (issue.code) {
    case "unrecognized_keys": {
      const known = Object.keys(keysAt(path) ?? {});
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
      const keys = Object.keys(keysAt(path) ?? {});
      const expected = keys.includes("*")
        ? "names, each with its own keys"
        : `keys (${keys.join(", ")})`;
      const value = valueAt(tree, path);
      const short = SHORT_FORMS[String(path.at(-1))];
      const hint = typeof value === "string" && short?.words.includes(value)
        ? `did you mean { ${short.key}: ${value} }?`
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

/** Sections that are written as one word, and the key that it is meant for. */
const SHORT_FORMS: Readonly<Record<string, { key: string; words: readonly string[] }>> = {
  load: { key: "source", words: LOAD_SOURCES },
  health: { key: "probe", words: HEALTH_PROBES },
  engine: { key: "kind", words: ENGINE_KINDS },
  sticky: { key: "by", words: STICKY_BY },
  admin: { key: "socket", words: ["auto", "off"] },
};

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

/** The keys known at a path, or null where no keys can be. */
function keysAt(path: ConfigPath): KeyTree | null {
  let tree: KeyTree | null = KEYS;
  for (const step of path) {
    const next: KeyTree | null | undefined = tree === null
      ? null
      : (typeof step === "string" && Object.hasOwn(tree, step) ? tree[step] : tree["*"]);
    tree = next ?? null;
  }
  return tree;
}

function describeValue(value: YamlValue | undefined): string {
  return typeof value === "string" ? quote(value) : describeKind(value);
}
