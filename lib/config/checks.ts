// Faults that no value shows alone: references between frontends and pools, addresses used twice,
// ports that cannot be told, times that contradict each other, more than there is room for.

import { type Address, formatAddress } from "../core/values/address.ts";
import { MOST_TOKENS } from "../core/pick/pick_table.ts";
import { formatEndpoint } from "../sp/endpoint.ts";
import { MAX_BACKENDS } from "../core/pool/backend.ts";
import { formatDuration } from "../core/values/duration.ts";
import { completeAddress, loadOf } from "./build.ts";
import type { LocationDraft, PoolDraft } from "./build.ts";
import type { LoadConfig } from "./config.ts";
import { LOAD_SOURCE_KINDS, loadSourceKindOf } from "../load/registry.ts";
import { quote } from "../schema/quote.ts";
import { type ConfigPath, someOf } from "./config_error.ts";
import { describeLoop, isThisMachine, leadsBack } from "./loops.ts";
import { References } from "./references.ts";
import type { ConfigDraft } from "./document.ts";

/** A fault between values. */
export interface CheckIssue {
  readonly path: ConfigPath;
  readonly at: "key" | "value";
  readonly message: string;
  readonly suggestion?: string;
  /** What it was concluded from; when one of these is itself at fault, this is no news. */
  readonly dependsOn: readonly ConfigPath[];
}

/** The most frontends; engines have room for the names of several reloads. */
const MAX_FRONTENDS = 64;

/** The most discovery sources of a pool: each holds a connection, or runs programs. */
const MAX_SOURCES = 16;

/** The most addresses of all frontends; each takes a descriptor. */
const MAX_LISTEN = 1024;

/** Finds every fault between the values of a draft. */
export function checkDraft(draft: ConfigDraft): CheckIssue[] {
  const references = new References(draft);
  const tooMany = [...checkFrontendCount(draft), ...checkListenCount(draft)];
  return [
    ...checkPresence(draft),
    ...tooMany,
    ...Object.keys(draft.frontends).flatMap((name) => checkFrontend(draft, references, name)),
    ...checkListen(draft),
    ...checkHttp(draft),
    ...Object.entries(draft.pools)
      .flatMap(([name, pool]) => checkPool(draft, references, name, pool)),
    // Each backend is compared with each address: not where those are beyond all bounds.
    ...(tooMany.length > 0 ? [] : checkLoops(draft, references)),
  ];
}

function checkPresence(draft: ConfigDraft): CheckIssue[] {
  const issues: CheckIssue[] = [];
  for (const [section, what] of [["frontends", "frontend"], ["pools", "pool"]] as const) {
    if (Object.keys(draft[section]).length > 0) continue;
    issues.push({
      path: [section],
      at: "key",
      message: `Cannot run without a ${what}: expected at least one under "${section}"`,
      dependsOn: [[section]],
    });
  }
  return issues;
}

function checkFrontendCount({ frontends }: ConfigDraft): CheckIssue[] {
  const names = Object.keys(frontends);
  const surplus = names[MAX_FRONTENDS];
  if (surplus === undefined) return [];
  return [{
    path: ["frontends", surplus],
    at: "key",
    message: `Cannot run ${names.length} frontends: expected at most ${MAX_FRONTENDS}`,
    dependsOn: [["frontends"]],
  }];
}

function checkListenCount({ frontends }: ConfigDraft): CheckIssue[] {
  let count = 0;
  for (const [name, { listen }] of Object.entries(frontends)) {
    count += listen.length;
    if (count <= MAX_LISTEN) continue;
    const message = `Cannot listen on so many addresses: expected at most ${MAX_LISTEN} in all`;
    const path = ["frontends", name, "listen"];
    return [{ path, at: "value", message, dependsOn: [path] }];
  }
  return [];
}

function checkFrontend(draft: ConfigDraft, references: References, name: string): CheckIssue[] {
  const path = ["frontends", name];
  const issues: CheckIssue[] = [];
  const { poolNames } = references;
  const frontend = draft.frontends[name];
  if (frontend === undefined) return [];
  if (frontend.listen.length === 0) {
    issues.push({
      path,
      at: "key",
      message: `Cannot run a frontend without an address: expected listen, such as ":22"`,
      dependsOn: [[...path, "listen"]],
    });
  }
  const { pool } = frontend;
  if (pool === undefined && poolNames.length > 1) {
    issues.push({
      path,
      at: "key",
      message: `Cannot choose a pool: expected pool to be one of ${someOf(poolNames)}`,
      dependsOn: [[...path, "pool"], ["pools"]],
    });
  }
  return [
    ...issues,
    ...checkPoolName(references, [...path, "pool"], pool),
    ...frontend.location.flatMap((rule, index) =>
      checkLocation(draft, references, [...path, "location", index], rule)
    ),
  ];
}

function checkPoolName(
  references: References,
  path: ConfigPath,
  pool: string | undefined,
): CheckIssue[] {
  const { poolNames } = references;
  if (pool === undefined || references.isPool(pool) || poolNames.length === 0) return [];
  const suggestion = references.guessPool(pool);
  const hint = suggestion === undefined
    ? `expected one of ${someOf(poolNames)}`
    : `did you mean "${suggestion}"?`;
  return [{
    path,
    at: "value",
    message: `Unknown pool ${quote(pool)}: ${hint}`,
    ...(suggestion === undefined ? {} : { suggestion }),
    dependsOn: [path, ["pools"]],
  }];
}

function checkLocation(
  draft: ConfigDraft,
  references: References,
  path: ConfigPath,
  rule: LocationDraft,
): CheckIssue[] {
  const issues = checkPoolName(references, [...path, "pool"], rule.pool);
  const [networks, countries] = [[...path, "networks"], [...path, "countries"]];
  if (rule.pool === undefined) {
    const message = "Cannot use a location without a pool: expected pool";
    issues.push({ path, at: "value", message, dependsOn: [[...path, "pool"]] });
  }
  if (rule.networks.length === 0 && rule.countries.length === 0) {
    const message = "Cannot tell who comes from here: expected networks or countries";
    issues.push({ path, at: "value", message, dependsOn: [networks, countries] });
  }
  if (rule.countries.length > 0 && draft.locationDatabase === undefined) {
    issues.push({
      path: countries,
      at: "value",
      message: "Cannot tell countries without a database: expected location_database at the top, " +
        "the path of a MaxMind DB file",
      dependsOn: [["location_database"], countries],
    });
  }
  return issues;
}

/** Two listeners cannot have one address; port 0 is another one each time. */
function checkListen({ admin, frontends }: ConfigDraft): CheckIssue[] {
  const issues: CheckIssue[] = [];
  const owners = new Map<string, string>();
  const listeners = [
    ...Object.entries(frontends).map(([name, { listen }]) => ({
      whose: `frontend ${quote(name)}`,
      path: ["frontends", name, "listen"],
      listen,
    })),
    { whose: "admin.http", path: ["admin", "http"], listen: admin.http },
  ];
  for (const { whose, path, listen } of listeners) {
    for (const [index, address] of listen.entries()) {
      if (address.transport === "tcp" && address.port === 0) continue;
      const key = listenKey(address);
      const owner = owners.get(key);
      if (owner === undefined) {
        owners.set(key, whose);
        continue;
      }
      const who = owner !== whose ? owner : path[0] === "admin" ? "it" : "this frontend";
      issues.push({
        path: [...path, index],
        at: "value",
        message: `Cannot listen on ${quote(formatAddress(address))} twice: ${who} does already`,
        dependsOn: [[...path, index]],
      });
    }
  }
  return issues;
}

/** HTTP without TLS is for this machine alone, unless somebody says that they know. */
function checkHttp({ admin: { http, httpFromAfar } }: ConfigDraft): CheckIssue[] {
  if (httpFromAfar) return [];
  return http.flatMap((address, index): CheckIssue[] => {
    if (isThisMachine(address.host)) return [];
    const path = ["admin", "http", index];
    return [{
      path,
      at: "value",
      message:
        `Cannot answer HTTP on ${quote(formatAddress(address))}: plain HTTP shows the token ` +
        `to the network; expected "127.0.0.1:${address.port}" and ssh -L or a proxy with TLS to ` +
        "reach it from afar, or http_from_afar: true where that network is trusted",
      dependsOn: [path, ["admin", "http_from_afar"]],
    }];
  });
}

/** The wildcard addresses are one place: a dual-stack socket takes both families. */
function listenKey(address: Address): string {
  if (address.transport === "unix") return formatAddress(address);
  const host = ["", "0.0.0.0", "::"].includes(address.host) ? "" : address.host.toLowerCase();
  return formatAddress({ ...address, host });
}

function checkPool(
  draft: ConfigDraft,
  references: References,
  name: string,
  pool: PoolDraft,
): CheckIssue[] {
  const path = ["pools", name];
  const issues: CheckIssue[] = [];
  const isFed = pool.feed.primary.length + pool.feed.secondary.length > 0;
  if (pool.backends.length === 0 && pool.discovery.length === 0 && !isFed) {
    issues.push({
      path,
      at: "key",
      message: "Cannot use a pool without backends: expected at least one under backends, " +
        "discovery or feed",
      dependsOn: [[...path, "backends"], [...path, "discovery"], [...path, "feed"]],
    });
  }
  if (pool.discovery.length > MAX_SOURCES) {
    issues.push({
      path: [...path, "discovery", MAX_SOURCES],
      at: "value",
      message: `Cannot ask ${pool.discovery.length} discovery sources: expected at most ` +
        `${MAX_SOURCES}`,
      dependsOn: [[...path, "discovery"]],
    });
  }
  if (pool.backends.length > MAX_BACKENDS) {
    issues.push({
      path: [...path, "backends", MAX_BACKENDS],
      at: "value",
      message: `Cannot use ${pool.backends.length} backends in a pool: expected at most ` +
        `${MAX_BACKENDS}`,
      dependsOn: [[...path, "backends"]],
    });
  }
  // A frontend whose own pool is unknown may have meant this one.
  const isUnused = references.frontendsOf(name).length === 0 && references.areSound;
  if (isUnused && Object.keys(draft.frontends).length > 0) {
    issues.push({
      path,
      at: "key",
      message: `Cannot use pool ${quote(name)}: no frontend sends to it, name it as the pool of ` +
        "one or remove it",
      dependsOn: references.poolPaths,
    });
  }
  return [
    ...issues,
    ...checkBackends(references, name, pool),
    ...checkFeed([...path, "feed"], pool),
    ...checkTimes(path, pool),
    ...checkScale([...path, "scale"], pool.scale),
    ...checkSource([...path, "load"], pool.load),
    ...pool.backends.flatMap((backend, index) =>
      backend.load === undefined
        ? []
        : checkSource([...path, "backends", index, "load"], loadOf(pool, backend))
    ),
  ];
}

function checkFeed(path: ConfigPath, { feed, backends, discovery }: PoolDraft): CheckIssue[] {
  const { primary, secondary } = feed;
  const issue = (message: string, at: ConfigPath = path): CheckIssue => ({
    path: at,
    at: "value",
    message,
    dependsOn: [path, at],
  });
  const issues: CheckIssue[] = [];
  const others = Object.entries({ backends, discovery });
  for (const [key] of others.filter(([, { length }]) => primary.length > 0 && length > 0)) {
    const message = `Cannot use feed beside ${key}: tokens name the backends; remove one of both`;
    issues.push({ ...issue(message), dependsOn: [path, [...path.slice(0, -1), key]] });
  }
  if (primary.length === 0 && secondary.length > 0) {
    issues.push(issue("Cannot use secondary feeds alone: expected one under primary"));
  }
  const seen = new Set<string>();
  for (const [key, endpoints] of Object.entries(feed)) {
    if (endpoints.length > MOST_TOKENS) {
      const message = `Cannot ask ${endpoints.length} feeds: expected at most ${MOST_TOKENS}`;
      issues.push(issue(message, [...path, key, MOST_TOKENS]));
    }
    for (const [index, endpoint] of endpoints.entries()) {
      const name = formatEndpoint(endpoint);
      if (seen.has(name)) {
        issues.push(issue(`Cannot ask ${quote(name)} twice`, [...path, key, index]));
      }
      seen.add(name);
    }
  }
  return issues;
}

function checkBackends(references: References, name: string, pool: PoolDraft): CheckIssue[] {
  const issues: CheckIssue[] = [];
  const port = references.defaultPortOf(name);
  const seen = new Set<string>();
  for (const [index, backend] of pool.backends.entries()) {
    const path = ["pools", name, "backends", index];
    if (backend.address === undefined) {
      const message = 'Cannot use a backend without an address: expected address: "host[:port]"';
      issues.push({ path, at: "value", message, dependsOn: [[...path, "address"]] });
      continue;
    }
    const address = completeAddress(backend.address, port);
    if (address === undefined) {
      if (references.portsOf(name).size > 0) {
        issues.push(missingPort(references, name, index, backend.address.address));
      }
      continue;
    }
    const key = formatAddress(address).toLowerCase();
    if (seen.has(key)) {
      const message = `Cannot use ${quote(formatAddress(address))} twice: the pool has it already`;
      issues.push({ path, at: "value", message, dependsOn: [path] });
    }
    seen.add(key);
    const load = loadOf(pool, backend);
    const asked = backend.loadAddress?.address ?? address;
    if (loadSourceKindOf(load.source)?.asksBackendsBy(load) && asked.transport === "unix") {
      issues.push({
        path,
        at: "value",
        message: `Cannot ask ${quote(formatAddress(asked))} for its load by ${load.source}: ` +
          'expected load_address: "host[:port]"',
        dependsOn: [[...path, "load_address"], ["pools", name, "load", "source"]],
      });
    }
  }
  return issues;
}

function checkLoops(draft: ConfigDraft, references: References): CheckIssue[] {
  const issues: CheckIssue[] = [];
  for (const [name, { backends }] of Object.entries(draft.pools)) {
    const port = references.defaultPortOf(name);
    for (const [index, { address: written }] of backends.entries()) {
      const address = written === undefined ? undefined : completeAddress(written, port);
      if (address === undefined) continue;
      const frontend = references.frontendsOf(name).find((one) =>
        draft.frontends[one]?.listen.some((listen) => leadsBack(listen, address))
      );
      if (frontend === undefined) continue;
      const path = ["pools", name, "backends", index];
      const message = describeLoop(formatAddress(address), frontend);
      issues.push({ path, at: "value", message, dependsOn: [path, ["frontends", frontend]] });
    }
  }
  return issues;
}

function missingPort(
  references: References,
  name: string,
  index: number,
  address: Address,
): CheckIssue {
  const host = address.transport === "tcp" ? address.host : "";
  const written = host.includes(":") ? `[${host}]` : host;
  const ports = references.portsOf(name);
  const frontends = references.frontendsOf(name);
  const who = frontends.length === 1 ? `frontend ${frontends[0]}` : "its frontends";
  const verb = frontends.length === 1 ? "listens" : "listen";
  const why = ports.size === 1
    ? `${who} ${verb} on port 0 or a unix socket`
    : `${who} ${verb} on different ports`;
  return {
    path: ["pools", name, "backends", index],
    at: "value",
    message: `Cannot tell the port of ${quote(host)}: ${why}, write "${written}:PORT"`,
    dependsOn: [
      ["frontends"],
      ["pools", name, "backends", index, "address"],
      ...frontends.map((frontend) => ["frontends", frontend, "listen"]),
    ],
  };
}

function checkScale(path: ConfigPath, scale: PoolDraft["scale"]): CheckIssue[] {
  const issues: CheckIssue[] = [];
  const { upWhen, downWhen, exec, min, max } = scale;
  if (exec.length === 0 && (upWhen !== undefined || downWhen !== undefined)) {
    const key = upWhen === undefined ? "down_when" : "up_when";
    issues.push({
      path: [...path, key],
      at: "key",
      message: `Cannot scale without a command: expected exec beside ${key}`,
      dependsOn: [[...path, key], [...path, "exec"]],
    });
  }
  if (min > max) {
    issues.push({
      path: [...path, "min"],
      at: "value",
      message: `Cannot use a min of ${min}: expected at most the max, ${max}`,
      dependsOn: [[...path, "min"], [...path, "max"]],
    });
  }
  return issues;
}

function checkTimes(path: ConfigPath, pool: PoolDraft): CheckIssue[] {
  const issues: CheckIssue[] = [];
  for (const section of ["load", "health"] as const) {
    const { timeoutMs, intervalMs } = pool[section];
    if (timeoutMs <= intervalMs) continue;
    issues.push({
      path: [...path, section, "timeout"],
      at: "value",
      message: `Cannot use a timeout of ${formatDuration(timeoutMs)}: expected at most the ` +
        `interval, ${formatDuration(intervalMs)}`,
      dependsOn: [[...path, section, "timeout"], [...path, section, "interval"]],
    });
  }
  const { maxAgeMs, intervalMs } = pool.load;
  if (maxAgeMs < intervalMs) {
    issues.push({
      path: [...path, "load", "max_age"],
      at: "value",
      message: `Cannot use a max_age of ${formatDuration(maxAgeMs)}: expected at least the ` +
        `interval, ${formatDuration(intervalMs)}`,
      dependsOn: [[...path, "load", "max_age"], [...path, "load", "interval"]],
    });
  }
  return issues;
}

function checkSource(path: ConfigPath, load: LoadConfig): CheckIssue[] {
  return LOAD_SOURCE_KINDS.flatMap((kind) =>
    kind.faultsIn(load, kind.name === load.source).map((fault) => ({
      path: [...path, ...fault.path],
      at: "value" as const,
      message: fault.message,
      dependsOn: fault.dependsOn.map((one) => [...path, ...one]),
    }))
  );
}
