// Faults that no value shows alone: references between frontends and pools, addresses used twice,
// ports that cannot be told, times that contradict each other, more than there is room for.

import { type Address, formatAddress } from "../core/address.ts";
import { MAX_BACKENDS } from "../core/backend.ts";
import { formatDuration } from "../core/duration.ts";
import { didYouMean, nearest } from "../core/nearest.ts";
import {
  completeAddress,
  defaultPortOf,
  frontendsOf,
  loadOf,
  poolNamesOf,
  portsOf,
} from "./build.ts";
import type { LocationDraft, PoolDraft } from "./build.ts";
import type { LoadConfig } from "./config.ts";
import { type ConfigPath, quote } from "./config_error.ts";
import { describeLoop, leadsBack } from "./loops.ts";
import type { Draft } from "./schema.ts";

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

/** Finds every fault between the values of a draft. */
export function checkDraft(draft: Draft): CheckIssue[] {
  return [
    ...checkPresence(draft),
    ...checkFrontendCount(draft),
    ...Object.keys(draft.frontends).flatMap((name) => checkFrontend(draft, name)),
    ...checkListen(draft),
    ...Object.entries(draft.pools).flatMap(([name, pool]) => checkPool(draft, name, pool)),
  ];
}

function checkPresence(draft: Draft): CheckIssue[] {
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

function checkFrontendCount({ frontends }: Draft): CheckIssue[] {
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

function checkFrontend(draft: Draft, name: string): CheckIssue[] {
  const path = ["frontends", name];
  const issues: CheckIssue[] = [];
  const pools = Object.keys(draft.pools);
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
  if (pool === undefined && pools.length > 1) {
    issues.push({
      path,
      at: "key",
      message: `Cannot choose a pool: expected pool to be one of ${pools.join(", ")}`,
      dependsOn: [[...path, "pool"], ["pools"]],
    });
  }
  return [
    ...issues,
    ...checkPoolName(draft, [...path, "pool"], pool),
    ...frontend.location.flatMap((rule, index) =>
      checkLocation(draft, [...path, "location", index], rule)
    ),
  ];
}

function checkPoolName(draft: Draft, path: ConfigPath, pool: string | undefined): CheckIssue[] {
  const pools = Object.keys(draft.pools);
  if (pool === undefined || pools.includes(pool) || pools.length === 0) return [];
  const suggestion = nearest(pool, pools);
  const hint = suggestion === undefined
    ? `expected one of ${pools.join(", ")}`
    : didYouMean(pool, pools);
  return [{
    path,
    at: "value",
    message: `Unknown pool ${quote(pool)}: ${hint}`,
    ...(suggestion === undefined ? {} : { suggestion }),
    dependsOn: [path, ["pools"]],
  }];
}

function checkLocation(draft: Draft, path: ConfigPath, rule: LocationDraft): CheckIssue[] {
  const issues = checkPoolName(draft, [...path, "pool"], rule.pool);
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
function checkListen(draft: Draft): CheckIssue[] {
  const issues: CheckIssue[] = [];
  const owners = new Map<string, string>();
  for (const [name, frontend] of Object.entries(draft.frontends)) {
    for (const [index, address] of frontend.listen.entries()) {
      if (address.transport === "tcp" && address.port === 0) continue;
      const key = listenKey(address);
      const owner = owners.get(key);
      if (owner === undefined) {
        owners.set(key, name);
        continue;
      }
      const whose = owner === name ? "this frontend" : `frontend ${quote(owner)}`;
      issues.push({
        path: ["frontends", name, "listen", index],
        at: "value",
        message: `Cannot listen on ${quote(formatAddress(address))} twice: ${whose} does already`,
        dependsOn: [["frontends", name, "listen", index]],
      });
    }
  }
  return issues;
}

/** The wildcard addresses are one place: a dual-stack socket takes both families. */
function listenKey(address: Address): string {
  if (address.transport === "unix") return formatAddress(address);
  const host = ["", "0.0.0.0", "::"].includes(address.host) ? "" : address.host.toLowerCase();
  return formatAddress({ ...address, host });
}

function checkPool(draft: Draft, name: string, pool: PoolDraft): CheckIssue[] {
  const path = ["pools", name];
  const issues: CheckIssue[] = [];
  if (pool.backends.length === 0) {
    issues.push({
      path,
      at: "key",
      message: "Cannot use a pool without backends: expected at least one under backends",
      dependsOn: [[...path, "backends"]],
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
  const frontends = Object.keys(draft.frontends);
  // A frontend whose own pool is unknown may have meant this one.
  const isUnused = frontendsOf(draft, name).length === 0 &&
    frontends.every((frontend) => refersToPool(draft, frontend));
  if (isUnused && frontends.length > 0) {
    issues.push({
      path,
      at: "key",
      message: `Cannot use pool ${quote(name)}: no frontend sends to it, name it as the pool of ` +
        "one or remove it",
      dependsOn: [
        ["frontends"],
        ["pools"],
        ...frontends.flatMap((frontend) => pathsOfPools(draft, frontend)),
      ],
    });
  }
  return [
    ...issues,
    ...checkBackends(draft, name, pool),
    ...checkTimes(path, pool),
    ...checkSource([...path, "load"], pool.load),
    ...pool.backends.flatMap((backend, index) =>
      backend.load === undefined
        ? []
        : checkSource([...path, "backends", index, "load"], loadOf(pool, backend))
    ),
  ];
}

function refersToPool(draft: Draft, frontend: string): boolean {
  return poolNamesOf(draft, frontend).every((pool) =>
    pool !== undefined && Object.hasOwn(draft.pools, pool)
  );
}

/** Where a frontend names pools. */
function pathsOfPools(draft: Draft, frontend: string): ConfigPath[] {
  const path = ["frontends", frontend];
  const rules = draft.frontends[frontend]?.location ?? [];
  return [
    [...path, "pool"],
    [...path, "location"],
    ...rules.map((_, index) => [...path, "location", index, "pool"]),
  ];
}

function checkBackends(draft: Draft, name: string, pool: PoolDraft): CheckIssue[] {
  const issues: CheckIssue[] = [];
  const port = defaultPortOf(draft, name);
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
      if (portsOf(draft, name).size > 0) issues.push(missingPort(draft, name, index));
      continue;
    }
    const key = formatAddress(address).toLowerCase();
    if (seen.has(key)) {
      const message = `Cannot use ${quote(formatAddress(address))} twice: the pool has it already`;
      issues.push({ path, at: "value", message, dependsOn: [path] });
    }
    seen.add(key);
    issues.push(...checkLoop(draft, name, path, address));
    const { source, gmond } = loadOf(pool, backend);
    const asks = source === "nrpe" || source === "ssh" || source === "agent" ||
      (source === "gmond" && gmond.address === undefined);
    const asked = backend.loadAddress?.address ?? address;
    if (asks && asked.transport === "unix") {
      issues.push({
        path,
        at: "value",
        message: `Cannot ask ${quote(formatAddress(asked))} for its load by ${source}: ` +
          'expected load_address: "host[:port]"',
        dependsOn: [[...path, "load_address"], ["pools", name, "load", "source"]],
      });
    }
  }
  return issues;
}

function checkLoop(draft: Draft, pool: string, path: ConfigPath, address: Address): CheckIssue[] {
  const frontend = frontendsOf(draft, pool).find((name) =>
    draft.frontends[name]?.listen.some((listen) => leadsBack(listen, address))
  );
  if (frontend === undefined) return [];
  const message = describeLoop(formatAddress(address), frontend);
  return [{ path, at: "value", message, dependsOn: [path, ["frontends", frontend]] }];
}

function missingPort(draft: Draft, name: string, index: number): CheckIssue {
  const backend = draft.pools[name]?.backends[index];
  const address = backend?.address?.address;
  const host = address?.transport === "tcp" ? address.host : "";
  const written = host.includes(":") ? `[${host}]` : host;
  const ports = portsOf(draft, name);
  const frontends = frontendsOf(draft, name);
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
  const issues: CheckIssue[] = [];
  const { source, nrpe, exec } = load;
  const at = [...path, "nrpe"];
  const complain = (key: string, message: string, others: readonly string[]) =>
    issues.push({
      path: [...at, key],
      at: "value",
      message,
      dependsOn: [key, ...others].map((name) => [...at, name]),
    });
  if (source === "exec" && exec.command.length === 0) {
    issues.push({
      path: [...path, "source"],
      at: "value",
      message: "Cannot run a command for the load: expected load.exec.command in lb.conf",
      dependsOn: [
        [...path, "source"],
        [...path, "exec"],
        [...path, "exec", "command"],
      ],
    });
  }
  if (nrpe.tls === "certificates" && nrpe.ca === undefined) {
    complain("tls", 'Cannot use tls "certificates" alone: expected ca', ["ca"]);
  }
  for (const [one, other] of [["certificate", "key"], ["key", "certificate"]] as const) {
    if (nrpe[one] === undefined || nrpe[other] !== undefined) continue;
    complain(one, `Cannot use ${one} alone: expected ${other}`, [other]);
  }
  if (nrpe.tls === "off" || nrpe.tls === "anonymous") {
    for (const key of ["ca", "certificate", "key"] as const) {
      if (nrpe[key] === undefined) continue;
      complain(key, `Cannot use ${key} with tls ${nrpe.tls}: expected certificates or auto`, [
        "tls",
      ]);
    }
  }
  return issues;
}
