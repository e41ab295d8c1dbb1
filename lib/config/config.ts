// The configuration as the program uses it: every default filled in, every text parsed.

import type { Address, TcpAddress } from "../core/values/address.ts";
import type { Backend } from "../core/pool/backend.ts";
import type { HttpFigure } from "../core/pool/load.ts";
import type { Network } from "../core/values/network.ts";
import type { MemoryFloor } from "../core/watch/shortages.ts";
import type { FallbackName, StrategyName } from "../strategy/registry.ts";

/** Every name that lb.conf knows, in the order in which messages list them. */
/** By what clients stick to a backend. */
export const STICKY_BY = ["off", "source"] as const;
export const LOAD_SOURCES = ["nrpe", "ssh", "agent", "exec", "gmond", "http", "none"] as const;
export const HEALTH_PROBES = ["tcp", "banner", "none"] as const;
export const LOG_LEVELS = ["error", "warning", "info", "debug"] as const;
export const LOG_FORMATS = ["text", "json"] as const;
export const ENGINE_KINDS = ["auto", "splice", "portable"] as const;
export const FRONTEND_MODES = ["tcp"] as const;
export const NRPE_TLS_MODES = ["auto", "off", "certificates", "anonymous"] as const;

export type LoadSourceName = typeof LOAD_SOURCES[number];
export type HealthProbeName = typeof HEALTH_PROBES[number];
export type LogLevel = typeof LOG_LEVELS[number];

export interface Config {
  readonly log: LogConfig;
  readonly admin: AdminConfig;
  readonly engine: EngineConfig;
  /** Whom to become after the sockets are bound; absent: stay who we are. */
  readonly user?: string;
  /** How long sessions may go on after TERM. 0: for as long as they last. */
  readonly shutdownTimeoutMs: number;
  /** The database (MaxMind DB) that tells the country of an address; there when countries are named. */
  readonly locationDatabase?: string;
  readonly frontends: readonly FrontendConfig[];
  readonly pools: readonly PoolConfig[];
}

export interface LogConfig {
  readonly level: LogLevel;
  readonly format: typeof LOG_FORMATS[number];
  /** Whether tunnels are recorded: a record when one opens and one when it closes. */
  readonly access: boolean;
  /** Whether the record of an opened tunnel tells what every backend looked like, and why this one won. */
  readonly decisions: boolean;
  /** The file that everything about placement is recorded to, for replays; absent: none. */
  readonly record?: string;
}

export interface AdminConfig {
  /** The unix socket that `status` asks: "auto", "off", or an absolute path. */
  readonly socket: "auto" | "off" | { readonly path: string };
}

export interface EngineConfig {
  /** Threads that carry sessions, in the splice engine; "auto": one for each core. */
  readonly workers: "auto" | number;
  readonly keepalive: KeepaliveConfig;
  readonly kind: typeof ENGINE_KINDS[number];
  /** What the portable engine reads at once on a busy tunnel, in bytes. */
  readonly bufferBytes: number;
}

/** TCP keepalive of clients and backends, set by the splice engine. */
export interface KeepaliveConfig {
  /** Seconds without traffic before the first probe; 0: no keepalive. */
  readonly idleSeconds: number;
  readonly intervalSeconds: number;
  /** Probes without an answer before a connection is given up. */
  readonly count: number;
  /** Most milliseconds that sent data may stay unacknowledged; 0: the kernel's choice. */
  readonly userTimeoutMs: number;
}

export interface FrontendConfig {
  readonly name: string;
  readonly mode: typeof FRONTEND_MODES[number];
  readonly listen: readonly Address[];
  readonly pool: string;
  /** Where clients go instead by where they come from: the first rule that holds counts. */
  readonly location: readonly LocationConfig[];
  /** 0: no limit. */
  readonly maxConnections: number;
  /** 0: off. */
  readonly idleTimeoutMs: number;
  /** Mode of unix sockets, 0 to 0o777; absent: as the umask has it. */
  readonly socketMode?: number;
}

/** Clients of these networks and countries, and the pool that they go to. */
export interface LocationConfig {
  readonly networks: readonly Network[];
  /** ISO 3166-1 alpha-2 codes, in capitals. */
  readonly countries: readonly string[];
  readonly pool: string;
}

export interface PoolConfig {
  readonly name: string;
  readonly strategy: StrategyName;
  readonly fallback: FallbackName;
  /** How much of its share a backend may hold under source_hash, percent, above 100; 0: any. */
  readonly hashBalance: number;
  readonly sticky: StickyConfig;
  readonly pace: PaceConfig;
  readonly connect: { readonly timeoutMs: number; readonly retries: number };
  /** Every address has its port: written, or taken from the frontend. */
  readonly backends: readonly BackendConfig[];
  readonly load: LoadConfig;
  readonly health: HealthConfig;
  readonly memory: MemoryConfig;
  readonly pressure: PressureConfig;
  /** How long the share of a backend that comes back takes to grow to its whole one; 0: off. */
  readonly slowStartMs: number;
  readonly outliers: OutlierConfig;
  readonly blackHoles: BlackHoleConfig;
  readonly panic: PanicConfig;
}

/** When a backend is ejected although its probes pass. */
export interface OutlierConfig {
  /** Real connects in a row that fail; 0: off. */
  readonly failures: number;
  /** The first ejection; the n-th in short order lasts n times that. */
  readonly ejectionMs: number;
  /** Most of the pool that is held back as an outlier or a black hole at once, 0 to 1. */
  readonly maxEjectedShare: number;
}

/** When a backend counts as a black hole, which loses the sessions that it takes. */
export interface BlackHoleConfig {
  /** The least number of sessions lost in a row; 0: off. */
  readonly sessions: number;
  readonly holdMs: number;
}

/** When what the pool's own watches say is forgiven. */
export interface PanicConfig {
  /** Below this usable share of the pool; 0: never. */
  readonly belowShare: number;
  /** Whether backends that are down are tried when nobody else is left. */
  readonly lastResort: boolean;
}

/** What free memory does to placement, where load sources tell it. */
export interface MemoryConfig {
  /** A backend with less available gets no new session; 0: never mind. */
  readonly minAvailable: MemoryFloor;
  /** How much it counts among the others, 0 (not at all) to 1. */
  readonly weight: number;
}

/** Pressure (PSI) above which a backend gets no new session: shares, 0 to 1; absent: never mind. */
export interface PressureConfig {
  /** Whether it is used to find tasks in a load average that wait for disks. */
  readonly correctLoad: boolean;
  readonly maxCpu?: number;
  readonly maxMemory?: number;
}

/** Whether a client that comes back is sent to the backend where it was. */
export interface StickyConfig {
  readonly by: typeof STICKY_BY[number];
  /** Milliseconds after the beginning and the end of its last session in which it is known again. */
  readonly ttlMs: number;
}

/** How many young connections a backend has before others go first. */
export interface PaceConfig {
  /** 0: any number. */
  readonly sessions: number;
  readonly withinMs: number;
}

export interface BackendConfig extends Backend {
  /** How this one is asked for its load, where that differs from its pool: all of it. */
  readonly load?: LoadConfig;
}

export interface LoadConfig {
  readonly source: LoadSourceName;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** A sample older than this is no sample. */
  readonly maxAgeMs: number;
  readonly nrpe: NrpeConfig;
  readonly ssh: SshConfig;
  readonly exec: ExecConfig;
  readonly agent: AgentConfig;
  readonly gmond: GmondConfig;
  readonly http: HttpConfig;
}

export interface NrpeConfig {
  readonly port: number;
  /** The command as nrpe.cfg defines it, with arguments after "!" where the daemon takes them. */
  readonly command: string;
  readonly tls: typeof NRPE_TLS_MODES[number];
  /** PEM files; `ca` for tls certificates, `certificate` and `key` when the daemon asks for ours. */
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
  /** Whether the daemon's certificate must carry the name that we called. */
  readonly verifyName: boolean;
}

export interface SshConfig {
  /** Absent: ssh's own choice (ssh_config, else the current user). */
  readonly user?: string;
  /** Absent: the backend's own port. */
  readonly port?: number;
  readonly identityFile?: string;
  /** An ssh_config file instead of the user's own. */
  readonly configFile?: string;
  /** More `-o` options, each "Name=value". */
  readonly options: readonly string[];
}

export interface ExecConfig {
  /** Program and arguments; {host}, {port} and {backend} are replaced, no shell. */
  readonly command: readonly string[];
}

/** How the agents of backends are asked, in HAProxy's agent-check protocol. */
export interface AgentConfig {
  readonly port: number;
  /** A line that is sent first; "": nothing is. */
  readonly send: string;
}

/** Ganglia's daemon. */
export interface GmondConfig {
  readonly port: number;
  /** One gmond that knows all backends; absent: each backend's own is asked. */
  readonly address?: TcpAddress;
}

export interface HttpConfig {
  /** With {host}, {port} and {backend} in it. */
  readonly url: string;
  /** Where figures stand in the JSON: names with dots between, or "off". */
  readonly fields: Readonly<Record<HttpFigure, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly tokenFile?: string;
  /** PEM of authorities to trust besides those of the system. */
  readonly ca?: string;
}

export interface HealthConfig {
  readonly probe: HealthProbeName;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly rise: number;
  readonly fall: number;
  /** What the backend must say first, for the probe `banner`. */
  readonly expect: string;
}
