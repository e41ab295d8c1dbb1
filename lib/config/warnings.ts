// What a sound configuration says in vain, or can hardly mean. No error: it may be on its way to something
// else. `check`, the start and a reload warn of it.

import { formatDuration } from "../core/values/duration.ts";
import { formatNetwork, type Network, widened } from "../core/values/network.ts";
import { SHORTAGES } from "../core/pool/member.ts";
import { loadSourceKindOf, type LoadSourceName } from "../load/registry.ts";
import {
  type BackendConfig,
  type Config,
  type FrontendConfig,
  isFed,
  type PoolConfig,
} from "./config.ts";

/** Rounds go at intervals that are up to a tenth longer. */
const ROUND_AT_MOST = 1.1;

/** So many are told: each is a line of the log, at every start and reload. */
const MOST_TOLD = 100;

/** The default of pace.sessions. */
const USUAL_PACE = 6;

/** Every warning as a sentence that begins with where it is; of more than 100, the first. */
export function warningsOf({ admin, frontends, pools }: Config): string[] {
  const odd = [
    ...oddAdmin(admin),
    ...frontends.flatMap(oddLocations),
    ...frontends.flatMap(oddMode),
    ...frontends.flatMap(oddProxies),
    ...frontends.flatMap(oddLists),
    ...frontends.flatMap(oddLimits),
    ...pools.flatMap(oddPool),
    ...pools.flatMap(oddFeed),
  ];
  const more = odd.length - MOST_TOLD;
  return more > 0 ? [...odd.slice(0, MOST_TOLD), `and ${more} more such settings`] : odd;
}

function oddAdmin({ http, tokenFile }: Config["admin"]): string[] {
  return tokenFile === undefined || http.length > 0
    ? []
    : ["admin.token_file: has no effect: admin.http is off"];
}

function oddMode({ name, listen, socketMode }: FrontendConfig): string[] {
  if (socketMode === undefined || listen.some(({ transport }) => transport === "unix")) return [];
  return [`frontends.${name}.socket_mode: has no effect: it listens on no unix socket`];
}

/** Proxies that are everybody, or that nobody hears. */
function oddProxies({ name, listen, acceptProxyFrom }: FrontendConfig): string[] {
  const at = `frontends.${name}.accept_proxy_from`;
  if (acceptProxyFrom.length > 0 && listen.every(({ transport }) => transport === "unix")) {
    return [`${at}: has no effect: ${ONLY_UNIX}`];
  }
  const all = acceptProxyFrom.filter(({ prefix }) => prefix === 0).map(formatNetwork);
  if (all.length === 0) return [];
  return [
    `${at}: ${all.join(" and ")} is everybody: whoever connects can claim any address: ` +
    "expected the addresses of your proxies",
  ];
}

/** Networks that are allowed in vain, and lists that nobody is looked up in. */
function oddLists({ name, listen, allow, deny }: FrontendConfig): string[] {
  const isUnix = listen.every(({ transport }) => transport === "unix");
  const vain = Object.entries({ allow, deny }).flatMap(([key, { length }]) =>
    isUnix && length > 0 ? [`frontends.${name}.${key}: has no effect: ${ONLY_UNIX}`] : []
  );
  const denied = new Set<string>();
  const prefixes = new Set<number>();
  for (const entry of deny) {
    if ("file" in entry) continue;
    denied.add(keyOf(entry));
    prefixes.add(entry.prefix);
  }
  const odd = allow.flatMap((entry) => {
    if ("file" in entry) return [];
    const wider = [...prefixes].filter((prefix) => prefix <= entry.prefix)
      .map((prefix) => widened(entry, prefix)).find((network) => denied.has(keyOf(network)));
    return wider === undefined ? [] : [
      `frontends.${name}.allow: nobody from ${formatNetwork(entry)} may come in: deny has ` +
      formatNetwork(wider),
    ];
  });
  return [...vain, ...odd];
}

const ONLY_UNIX = "it listens on unix sockets alone";

/** Limits without effect. */
function oddLimits(frontend: FrontendConfig): string[] {
  const { name, listen, maxConnections, whenFull, perSource } = frontend;
  const odd = (key: string, why: string) => [`frontends.${name}.${key}: has no effect: ${why}`];
  const most = perSource.maxConnections;
  const isLimited = most > 0 || perSource.rate !== undefined;
  return [
    ...(whenFull === "close" && maxConnections === 0 ? odd("when_full", "no max_connections") : []),
    ...(isLimited && listen.every(({ transport }) => transport === "unix")
      ? odd("per_source", ONLY_UNIX)
      : []),
    ...(maxConnections > 0 && most >= maxConnections
      ? odd("per_source.max_connections", `all may have ${maxConnections} (max_connections)`)
      : []),
    ...(perSource.penaltyMs > 0 && perSource.rate === undefined
      ? odd("per_source.penalty", "there is no rate")
      : []),
  ];
}

/** Networks of rules that an earlier rule takes away. */
function oddLocations({ name, location }: FrontendConfig): string[] {
  const odd: string[] = [];
  /** By network, the first rule that names it; and the prefixes that occur. */
  const rules = new Map<string, number>();
  const prefixes = new Set<number>();
  for (const [index, { networks, pool }] of location.entries()) {
    for (const network of networks) {
      let first = Infinity;
      for (const prefix of prefixes) {
        if (prefix > network.prefix) continue;
        first = Math.min(first, rules.get(keyOf(widened(network, prefix))) ?? Infinity);
      }
      const earlier = location[first];
      if (earlier === undefined || earlier.pool === pool) continue;
      odd.push(
        `frontends.${name}.location[${index}]: nobody from ${formatNetwork(network)} goes to ` +
          `${pool}: location[${first}] sends them to ${earlier.pool} before`,
      );
    }
    for (const network of networks) {
      prefixes.add(network.prefix);
      const key = keyOf(network);
      if (!rules.has(key)) rules.set(key, index);
    }
  }
  return odd;
}

function keyOf({ words, prefix }: Network): string {
  return `${words.join(".")}/${prefix}`;
}

/** What a strategy would heed, in a pool whose clients go by tokens. */
function oddFeed(pool: PoolConfig): string[] {
  if (!isFed(pool)) return [];
  const { name, strategy, sticky, pace, onEmpty } = pool;
  const said = [
    ...(strategy === "least_load" ? [] : ["strategy"]),
    ...(sticky.by === "off" ? [] : ["sticky"]),
    ...(pace.sessions === USUAL_PACE ? [] : ["pace"]),
    ...(onEmpty === "keep" ? [] : ["on_empty"]),
  ];
  return said.map((key) =>
    `pools.${name}.${key}: has no effect: tokens of the feed say where clients go`
  );
}

function oddPool(pool: PoolConfig): string[] {
  const { name, backends, discovery, onEmpty, strategy, memory, pressure } = pool;
  const at = `pools.${name}`;
  const odd: string[] = [];
  if (
    backends.length > 0 && discovery.length === 0 && backends.every(({ weight }) => weight === 0)
  ) {
    odd.push(`${at}: every backend has weight 0: clients are turned away`);
  }
  if (onEmpty !== "keep" && discovery.length === 0 && !isFed(pool)) {
    odd.push(`${at}.on_empty: has no effect: expected discovery beside it`);
  }
  const url = sameUrl(pool);
  if (url !== undefined) {
    odd.push(
      `${at}.load.http.url: all backends are asked for their load at "${url}": ` +
        "expected {host}, {port} or {backend} in it",
    );
  }
  const { exec, upWhen, downWhen } = pool.scale;
  if (exec.length > 0 && upWhen === undefined && downWhen === undefined) {
    odd.push(`${at}.scale.exec: has no effect: expected up_when or down_when beside it`);
  }
  const sources = sourcesOf(pool);
  const { intervalMs, timeoutMs, maxAgeMs } = pool.load;
  const longestMs = ROUND_AT_MOST * intervalMs + timeoutMs;
  if (maxAgeMs < longestMs && [...sources].some((source) => source !== "none")) {
    odd.push(
      `${at}.load.max_age: samples are too old after ${
        formatDuration(maxAgeMs)
      }, before the next ` +
        `ones may come: expected ${formatDuration(Math.ceil(longestMs))} or more, which is an ` +
        "interval, a tenth of it and the timeout",
    );
  }
  const named = [...sources].join(", ");
  const { minAvailable, weight } = memory;
  const wantsMemory = ("bytes" in minAvailable ? minAvailable.bytes : minAvailable.share) > 0;
  const untold = untoldBySources(pool);
  if ((wantsMemory || weight > 0) && untold.has("memory")) {
    odd.push(`${at}.memory: has no effect: load by ${named} does not tell memory`);
  } else if (weight > 0 && strategy !== "least_load") {
    odd.push(`${at}.memory.weight: has no effect: ${strategy} does not heed it`);
  }
  const wantsPressure = pressure.maxCpu !== undefined || pressure.maxMemory !== undefined;
  if (wantsPressure && untold.has("pressure")) {
    odd.push(`${at}.pressure: has no effect: load by ${named} does not tell pressure`);
  }
  return odd;
}

/** What none of a pool's load sources can tell. */
export function untoldBySources(pool: PoolConfig): ReadonlySet<typeof SHORTAGES[number]> {
  const tells = { memory: "tellsMemory", pressure: "tellsPressure" } as const;
  const kinds = [...sourcesOf(pool)].map(loadSourceKindOf);
  return new Set(
    SHORTAGES.filter((cause) => kinds.every((kind) => kind?.about[tells[cause]] !== true)),
  );
}

/** The one URL at which several backends are asked, as if they were one. */
function sameUrl(pool: PoolConfig): string | undefined {
  const urls = pool.backends.flatMap((backend) => {
    const { source, http } = loadOf(pool, backend);
    return source === "http" ? [http.url] : [];
  });
  const [url = ""] = urls;
  const isSame = urls.length > 1 && urls.every((other) => other === url);
  return isSame && !/\{(host|port|backend)\}/.test(url) ? url : undefined;
}

/** The load sources that a pool's backends are asked by; discovered ones by the pool's. */
function sourcesOf(pool: PoolConfig): ReadonlySet<LoadSourceName> {
  const { backends, discovery, load } = pool;
  return new Set([
    ...backends.map((backend) => loadOf(pool, backend).source),
    ...(discovery.length === 0 ? [] : [load.source]),
  ]);
}

function loadOf({ load }: PoolConfig, backend: BackendConfig) {
  return backend.load ?? load;
}
