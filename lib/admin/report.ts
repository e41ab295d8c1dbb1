// What the running balancer tells of itself: the shape of `status --json` and of GET /v1/status.

export interface StatusReport {
  readonly version: string;
  readonly pid: number;
  readonly state: "running" | "draining";
  readonly engine: { readonly name: string; readonly reason: string };
  /** Where admin requests are answered over TCP. */
  readonly adminHttp: readonly string[];
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
  /** The file that keeps what administrators order; null: it ends with the process. */
  readonly ordersKeptIn: string | null;
}

export interface FrontendReport {
  readonly name: string;
  readonly listen: readonly string[];
  readonly pool: string;
  /** Where its clients go by where they come from; absent: nowhere else. */
  readonly locationPools?: readonly string[];
  readonly active: number;
  readonly maxConnections: number;
  /** Networks that it turns away by an administrator's order. */
  readonly denials: readonly DenialReport[];
}

/** Who ordered something, when and why. */
export interface SaidReport {
  readonly by: string;
  readonly at: string;
  /** null: no reason was given. */
  readonly reason: string | null;
}

export interface DenialReport extends SaidReport {
  readonly network: string;
  /** When it ends by itself; null: never. */
  readonly until: string | null;
}

/** What administrators have ordered of a backend; each null where nothing is ordered. */
export interface AdministrationReport {
  readonly state:
    | SaidReport & {
      readonly value: "enabled" | "draining" | "disabled";
      /** When sessions that are left are ended; null: never. */
      readonly deadline: string | null;
      /** What its own side says and counts no more, until it says something else. */
      readonly overrules: string | null;
    }
    | null;
  readonly weight: SaidReport & { readonly value: number } | null;
  /** It is in the pool by order; null values are not ordered. */
  readonly added:
    | SaidReport & {
      readonly cores: number | null;
      readonly weight: number | null;
      readonly maxConnections: number | null;
    }
    | null;
}

/** A backend that an administrator has taken out of the pool. */
export interface RemovedReport extends SaidReport {
  readonly id: string;
  /** Its sessions that go on. */
  readonly active: number;
}

export interface PoolReport extends PoolDiscoveryReport {
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
  readonly queue: QueueReport;
  /** Who names the backend of each client; null: the strategy chooses it. */
  readonly feed: FeedReport | null;
  readonly backends: readonly BackendReport[];
  /** Backends that are out of the pool by order, though the configuration may name them. */
  readonly removed: readonly RemovedReport[];
  /** How it is scaled; null: it is not. */
  readonly scale: ScaleReport | null;
}

/** When a command is run to have more or fewer backends; times in ISO 8601. */
export interface ScaleReport {
  /** In the pool and not taken out by order: what min and max bound. */
  readonly backends: number;
  readonly min: number;
  readonly max: number;
  readonly upWhen: string | null;
  /** Since when it holds; null: it does not, or nobody knows. */
  readonly upSince: string | null;
  readonly downWhen: string | null;
  readonly downSince: string | null;
  /** The command that runs now. */
  readonly running: "up" | "down" | null;
  /** Before that, none is run; null: one may be. */
  readonly restsUntil: string | null;
  /** The last command. */
  readonly last: { readonly direction: "up" | "down"; readonly at: string } | null;
  /** Why it has failed; null: it has not. */
  readonly failure: string | null;
  /** Commands that have ended well, and those that have not. */
  readonly doneUp: number;
  readonly doneDown: number;
  readonly failed: number;
}

/** Who names a pool's backends while the balancer runs. */
export interface PoolDiscoveryReport {
  readonly discovery: readonly DiscoveryReport[];
  /** Why what they name now is not in effect; null: it is. */
  readonly discoveryHeld: string | null;
}

/** A discovery source as it is watched; times in ISO 8601. */
export interface DiscoveryReport {
  /** As lb.conf names it: "redis". */
  readonly source: string;
  /** The same with where it is. */
  readonly name: string;
  /** How many backends its last list names; null: it has named none yet. */
  readonly backends: number | null;
  /** When the last list came; null: none has. */
  readonly listedAt: string | null;
  /** Why it cannot be asked, or has no list to give yet; null: all is well. */
  readonly failure: string | null;
  readonly failingSince: string | null;
  /** Since when it names nobody, and its last list is kept all the same; null: it does not. */
  readonly emptySince: string | null;
  /** Entries of its list that cannot be used. */
  readonly skipped: readonly string[];
}

/** Clients that every backend that should take them was full for. */
export interface QueueReport {
  /** Those that wait now. */
  readonly waiting: number;
  /** Those that ever did. */
  readonly waited: number;
  /** Those of them whose time was over before there was a place. */
  readonly timedOut: number;
}

/** The feeds of a pool, and what has become of their tokens since they were asked first. */
export interface FeedReport {
  /** Which of them are asked: the secondary ones beside the primary ones while those starve. */
  readonly uses: "primary" | "secondary";
  /** Tokens that wait for clients. */
  readonly waiting: number;
  readonly received: number;
  /** Those that clients were sent by. */
  readonly used: number;
  /** Those whose backends could not take a client, and those that were given back since few came. */
  readonly discarded: number;
  /** Those that named no backend, or one that the pool had no room for. */
  readonly bad: number;
  /** Clients that were turned away because there was no token. */
  readonly starved: number;
  readonly sources: readonly FeedSourceReport[];
}

/** One generator. */
export interface FeedSourceReport {
  readonly endpoint: string;
  readonly tier: "primary" | "secondary";
  readonly connected: boolean;
  /** "connected", or why it is not. */
  readonly state: string;
  readonly since: string;
  readonly received: number;
  /** Its tokens that wait for clients, and sessions by them that stand. */
  readonly standing: number;
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
  /** Whether new sessions may go there by order: enabled, draining or disabled. */
  readonly admin: string;
  /** Who ordered what; null: nothing is ordered. */
  readonly administration: AdministrationReport | null;
  /** Its share as the configuration has it, or the administrator who added it; null where that names it not. */
  readonly configuredWeight: number | null;
  /** What keeps sessions away, its health first; where nothing does, why health is what it is. */
  readonly reason: string;
  /** Since when health is what it is. */
  readonly since: string;
  /** Whether new sessions can be sent there now. */
  readonly usable: boolean;
  /** Whether the backend is held back, but gets the sessions that no other backend can take. */
  readonly backup: boolean;
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
  /** What it is short of where it is used all the same, for want of one that has enough. */
  readonly shortage: string | null;
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
