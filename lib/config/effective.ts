// The configuration in force, as the text of an lb.conf that says all of it.

import { formatAddress } from "../core/values/address.ts";
import { formatDuration } from "../core/values/duration.ts";
import { formatNetwork } from "../core/values/network.ts";
import type { MemoryFloor } from "../core/watch/shortages.ts";
import { formatSize } from "../core/values/size.ts";
import type {
  BackendConfig,
  Config,
  EngineConfig,
  FrontendConfig,
  LoadConfig,
  PoolConfig,
} from "./config.ts";
import { stringifyYaml, type YamlDraft } from "./yaml.ts";

/** Writes a configuration as YAML with every key; read back, it is the same configuration. */
export function formatConfig(config: Config): string {
  return stringifyYaml(draftConfig(config));
}

/** Every key of a configuration as {@linkcode formatConfig} writes it. */
export function draftConfig(config: Config): Readonly<Record<string, YamlDraft>> {
  const { log, admin, engine } = config;
  return present({
    log: {
      level: log.level,
      format: log.format,
      access: log.access,
      decisions: log.decisions,
      record: log.record ?? "off",
    },
    admin: { socket: typeof admin.socket === "string" ? admin.socket : admin.socket.path },
    engine: draftEngine(engine),
    user: config.user,
    shutdown_timeout: durationOrOff(config.shutdownTimeoutMs),
    location_database: config.locationDatabase,
    frontends: byName(config.frontends, draftFrontend),
    pools: byName(config.pools, draftPool),
  });
}

function draftEngine({ kind, workers, bufferBytes, keepalive }: EngineConfig): YamlDraft {
  return {
    kind,
    workers,
    buffer_size: formatSize(bufferBytes),
    keepalive: {
      idle: durationOrOff(keepalive.idleSeconds * 1000),
      interval: formatDuration(keepalive.intervalSeconds * 1000),
      count: keepalive.count,
      user_timeout: durationOrOff(keepalive.userTimeoutMs),
    },
  };
}

function draftFrontend(frontend: FrontendConfig): YamlDraft {
  const listen = frontend.listen.map(formatAddress);
  return {
    mode: frontend.mode,
    listen: listen.length === 1 ? listen[0] ?? "" : listen,
    pool: frontend.pool,
    location: frontend.location.map(({ networks, countries, pool }) => ({
      networks: networks.map(formatNetwork),
      countries,
      pool,
    })),
    max_connections: frontend.maxConnections,
    idle_timeout: durationOrOff(frontend.idleTimeoutMs),
    socket_mode: frontend.socketMode?.toString(8).padStart(4, "0") ?? "umask",
  };
}

function draftPool(pool: PoolConfig): YamlDraft {
  const { connect, health, memory, pressure } = pool;
  return {
    strategy: pool.strategy,
    fallback: pool.fallback,
    hash_balance: pool.hashBalance === 0 ? "off" : pool.hashBalance,
    sticky: { by: pool.sticky.by, ttl: formatDuration(pool.sticky.ttlMs) },
    pace: {
      sessions: pool.pace.sessions === 0 ? "off" : pool.pace.sessions,
      within: formatDuration(pool.pace.withinMs),
    },
    connect: { timeout: formatDuration(connect.timeoutMs), retries: connect.retries },
    backends: pool.backends.map(shortestBackend),
    load: draftLoad(pool.load),
    health: {
      probe: health.probe,
      interval: formatDuration(health.intervalMs),
      timeout: formatDuration(health.timeoutMs),
      rise: health.rise,
      fall: health.fall,
      expect: health.expect,
    },
    memory: { min_available: memoryFloor(memory.minAvailable), weight: memory.weight },
    pressure: {
      correct_load: pressure.correctLoad,
      max_cpu: percentOrOff(pressure.maxCpu),
      max_memory: percentOrOff(pressure.maxMemory),
    },
    ...draftResilience(pool),
  };
}

function draftResilience(
  { slowStartMs, outliers, blackHoles, panic }: PoolConfig,
): Readonly<Record<string, YamlDraft>> {
  return {
    slow_start: durationOrOff(slowStartMs),
    outliers: {
      failures: outliers.failures === 0 ? "off" : outliers.failures,
      ejection: formatDuration(outliers.ejectionMs),
      max_ejected: percentOrOff(outliers.maxEjectedShare),
    },
    black_holes: {
      sessions: blackHoles.sessions === 0 ? "off" : blackHoles.sessions,
      hold: formatDuration(blackHoles.holdMs),
    },
    panic: {
      below: panic.belowShare === 0 ? "off" : percentOrOff(panic.belowShare),
      last_resort: panic.lastResort,
    },
  };
}

function shortestBackend(backend: BackendConfig): YamlDraft {
  const address = formatAddress(backend.address);
  const { cores, weight, maxConnections, loadAddress, load } = backend;
  const plain = cores === undefined && weight === undefined && maxConnections === 0;
  if (plain && loadAddress === undefined && load === undefined) {
    // In the short form, "=" means cores.
    return address.includes("=") ? { address } : address;
  }
  return draftBackend(backend);
}

/** Every key that is set of a backend. */
export function draftBackend(backend: BackendConfig): Readonly<Record<string, YamlDraft>> {
  const { cores, weight, maxConnections, loadAddress, load } = backend;
  return present({
    address: formatAddress(backend.address),
    cores,
    weight,
    max_connections: maxConnections,
    load_address: loadAddress === undefined ? undefined : formatAddress(loadAddress),
    load: load === undefined ? undefined : { source: load.source, ...draftSources(load) },
  });
}

function draftLoad(load: LoadConfig): YamlDraft {
  return {
    source: load.source,
    interval: formatDuration(load.intervalMs),
    timeout: formatDuration(load.timeoutMs),
    max_age: formatDuration(load.maxAgeMs),
    ...draftSources(load),
  };
}

function draftSources(
  { nrpe, ssh, exec, agent, gmond, http }: LoadConfig,
): Readonly<Record<string, YamlDraft>> {
  return {
    nrpe: present({
      port: nrpe.port,
      command: nrpe.command,
      tls: nrpe.tls,
      ca: nrpe.ca,
      certificate: nrpe.certificate,
      key: nrpe.key,
      verify_name: nrpe.verifyName,
    }),
    ssh: present({
      user: ssh.user,
      port: ssh.port,
      identity_file: ssh.identityFile,
      config_file: ssh.configFile,
      options: ssh.options,
    }),
    exec: { command: exec.command },
    agent: { port: agent.port, send: agent.send },
    gmond: present({
      port: gmond.port,
      address: gmond.address === undefined ? undefined : formatAddress(gmond.address),
    }),
    http: present({
      url: http.url,
      fields: http.fields,
      headers: http.headers,
      token_file: http.tokenFile,
      ca: http.ca,
    }),
  };
}

function memoryFloor(floor: MemoryFloor): string {
  return "bytes" in floor ? formatSize(floor.bytes) : percentOrOff(floor.share);
}

/** Shares have four decimals; more would be what binary fractions add. */
function percentOrOff(share: number | undefined): string {
  return share === undefined ? "off" : `${Number((share * 100).toFixed(2))}%`;
}

function durationOrOff(ms: number): string {
  return ms === 0 ? "off" : formatDuration(ms);
}

function byName<T extends { readonly name: string }>(
  items: readonly T[],
  draft: (item: T) => YamlDraft,
): YamlDraft {
  return Object.fromEntries(items.map((item) => [item.name, draft(item)]));
}

/** A mapping without the keys that have no value. */
function present(
  mapping: Readonly<Record<string, YamlDraft | undefined>>,
): Readonly<Record<string, YamlDraft>> {
  const entries: [string, YamlDraft][] = [];
  for (const [key, value] of Object.entries(mapping)) {
    if (value !== undefined) entries.push([key, value]);
  }
  return Object.fromEntries(entries);
}
