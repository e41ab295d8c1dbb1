// What the running balancer tells of itself: the shape of `status --json` and of GET /v1/status.

export interface StatusReport {
  readonly version: string;
  readonly pid: number;
  readonly state: "running" | "draining";
  readonly engine: { readonly name: string; readonly reason: string };
  readonly startedAt: string;
  readonly now: string;
  readonly reload: {
    /** Reloads that were taken. */
    readonly count: number;
    /** When the last one was, taken or refused; absent: there was none. */
    readonly at?: string;
    /** What it changed, in the words of lb.conf; absent when it was refused. */
    readonly changes?: string;
    /** Why it was refused. */
    readonly error?: string;
  };
  readonly counters: {
    readonly accepted: number;
    readonly opened: number;
    readonly active: number;
    readonly refused: number;
    readonly connectFailures: number;
    /** Of the sessions that have ended. */
    readonly bytesToBackend: number;
    readonly bytesToClient: number;
    readonly eventsDropped: number;
    readonly logLinesDropped: number;
  };
  readonly frontends: readonly FrontendReport[];
  readonly pools: readonly PoolReport[];
}

export interface FrontendReport {
  readonly name: string;
  readonly listen: readonly string[];
  readonly pool: string;
  /** Where its clients go by where they come from; absent: nowhere else. */
  readonly locationPools?: readonly string[];
  readonly active: number;
  readonly maxConnections: number;
}

export interface PoolReport {
  readonly name: string;
  /** As configured. */
  readonly strategy: string;
  /** What places sessions now: the strategy, or the fallback while no load is known. */
  readonly strategyInUse: string;
  /** The pool's, and in parentheses those of backends that have another. */
  readonly loadSource: string;
  readonly healthProbe: string;
  /** By what clients come back to where they were: off or source. */
  readonly sticky: string;
  /** Why ejected or failing backends are used all the same; null: they are not. */
  readonly panic: string | null;
  /** Cores that each new login counts for, beside `free`, while a burst is dealt out; 0: there is none. */
  readonly burstCost: number;
  readonly backends: readonly BackendReport[];
}

/** One thing that holds a backend back. */
export interface HoldReport {
  readonly cause: string;
  readonly reason: string;
  readonly since: string;
  /** When it ends by itself; null: when its cause does. */
  readonly until: string | null;
}

export interface BackendReport {
  readonly id: string;
  readonly addresses: readonly string[];
  /** `leaving`: no longer configured, its last sessions are still on. */
  readonly state: "up" | "down" | "unknown" | "leaving";
  readonly admin: string;
  /** What keeps sessions away, its health first; where nothing does, why health is what it is. */
  readonly reason: string;
  /** Since when health is what it is. */
  readonly since: string;
  /** Whether new sessions can be sent there now. */
  readonly usable: boolean;
  /** Whether it takes sessions that no other backend can take, although it is held back. */
  readonly standsBy: boolean;
  readonly load1: number | null;
  /** Age of the last sample in seconds. */
  readonly loadAgeSeconds: number | null;
  /** Why there is no newer sample. */
  readonly loadFailure: string | null;
  readonly cores: number;
  readonly coresFrom: "configured" | "learnt" | "assumed";
  /** Its share of sessions beside others; 1 unless something says otherwise. */
  readonly weight: number;
  /** What of its weight counts while it comes back slowly; 1 otherwise. */
  readonly share: number;
  /** What holds it back; in a panic it may be used all the same. */
  readonly holds: readonly HoldReport[];
  /** Free cores as the kernels see them, an estimate; null while no fresh load is known. */
  readonly free: number | null;
  /** What the last sample told besides, each null when its source does not tell it. */
  readonly memoryAvailableBytes: number | null;
  readonly memoryTotalBytes: number | null;
  /** Share of the last 10 s in which some task waited for a CPU or for memory, 0 to 1. */
  readonly cpuPressure: number | null;
  readonly memoryPressure: number | null;
  readonly loginSessions: number | null;
  readonly active: number;
  readonly total: number;
  readonly maxConnections: number;
  readonly connectFailures: number;
  /** What its agent said last; null when it has none. */
  readonly agent: string | null;
}

/** Tells whether a value that came over the socket is a report that this version can show. */
export function isStatusReport(value: unknown): value is StatusReport {
  return typeof value === "object" && value !== null &&
    "version" in value && typeof value.version === "string" &&
    "counters" in value && typeof value.counters === "object" &&
    "frontends" in value && Array.isArray(value.frontends) &&
    "pools" in value && Array.isArray(value.pools);
}
