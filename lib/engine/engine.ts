// What the control plane knows of a data plane: frontends and plans go in, counters and events come out.
// No socket crosses this line, so an engine can be made of anything.

import type { Address } from "../core/address.ts";
import type { Snapshot } from "../core/decision_snapshot.ts";
import type { FailureKind } from "../core/errors.ts";
import type { Location } from "../core/location_table.ts";
import type { PickTable } from "../core/pick_table.ts";

/** Where clients come in. */
export interface Frontend {
  readonly name: string;
  /** At least one; port 0 is resolved by {@linkcode Engine.start}. */
  readonly listen: readonly Address[];
  /**
   * Mode of the files of its unix sockets, 0 to 0o777; absent: as the umask has it. Does not touch sockets
   * that the program was started with.
   */
  readonly socketMode?: number;
  readonly pool: string;
  /** Where clients go by their address; absent: all go to `pool`, as those of a unix socket always do. */
  readonly location?: Location;
  /** Most tunnels at a time over all its addresses; a client beyond it is closed at once. 0: no limit. */
  readonly maxConnections: number;
  /** A tunnel on which no byte moved either way for so long is ended. 0: never. */
  readonly idleTimeoutMs: number;
}

/** How a pool is used by the engine. The table's words change all the time, the rest on publish. */
export interface PoolPlan {
  readonly table: PickTable;
  /** By row: what stands there, or undefined for a gap. */
  readonly endpoints: readonly (Endpoint | undefined)[];
  readonly connectTimeoutMs: number;
  /** How many other backends are tried after the first did not take the connection. */
  readonly connectRetries: number;
}

export interface Endpoint {
  readonly backend: string;
  /** Resolved, tried in this order: IP literals or a unix path. Empty while the name does not resolve. */
  readonly addresses: readonly Address[];
}

/** Why a tunnel ended. */
export type EndReason =
  /** The client finished first, in the regular way. */
  | "client_closed"
  /** The backend finished first, in the regular way. */
  | "backend_closed"
  | "client_reset"
  | "backend_reset"
  | "idle_timeout"
  /** Cut by the balancer itself, at the end of a drain. */
  | "shutdown";

/** Why a client got no tunnel. */
export type RefusalReason =
  /** No backend is eligible (none up, none enabled, all full). */
  | "no_backend"
  /** Backends were tried, none took the connection. */
  | "connect_failed"
  | "frontend_full";

/** One pick for a connection, and what became of it. */
export interface PickTrace {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** The kernel that chose, such as "most_free". */
  readonly kernel: string;
  /** What the kernel saw of the pool at that instant; undefined once thousands of picks have followed. */
  readonly snapshot: Snapshot | undefined;
  /** Why the chosen backend did not take the connection; undefined when it did, or nobody was chosen. */
  readonly failure: FailureKind | undefined;
}

/** What the balancer saw when it chose, for the access log. */
export interface Decision {
  /** The kernel that chose, such as "most_free". */
  readonly kernel: string;
  /** Free milli-cores of the winner; absent when unknown. */
  readonly freeMilliCores?: number;
  /** Tunnels that the winner held before this one. */
  readonly active: number;
  /** The client was sent back to where it had been; the kernel was not asked. */
  readonly sticky?: true;
  /** A backend was passed over because it had many young connections. */
  readonly paced?: true;
  /** The best of the others; absent when there was none or the kernel compares none. */
  readonly runnerUp?: {
    readonly backend: string;
    readonly freeMilliCores?: number;
    readonly active: number;
  };
  /**
   * Every pick for this connection in order, the last one that of its backend; empty when the record was
   * lost because nobody read events in time.
   */
  readonly picks: readonly PickTrace[];
}

interface TunnelEvent {
  /** Counts up from 1 within one engine. */
  readonly tunnel: number;
  readonly frontend: string;
  readonly pool: string;
  readonly row: number;
  readonly backend: string;
  readonly client: Address;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

export type EngineEvent =
  | TunnelEvent & {
    readonly kind: "opened";
    /** The balancer's own address that the client reached. */
    readonly local: Address;
    /** The balancer's own address that the backend sees: what ties sshd's log to the client. */
    readonly outgoing: Address;
    readonly backendAddress: Address;
    /** Backends tried, this one included. */
    readonly attempts: number;
    readonly connectMs: number;
    readonly decision: Decision;
  }
  | TunnelEvent & {
    readonly kind: "closed";
    readonly outgoing: Address;
    readonly bytesToBackend: number;
    readonly bytesToClient: number;
    readonly durationMs: number;
    readonly reason: EndReason;
  }
  | {
    readonly kind: "connect_failed";
    readonly frontend: string;
    readonly pool: string;
    readonly row: number;
    readonly backend: string;
    readonly client: Address;
    readonly atMs: number;
    readonly failure: FailureKind;
    readonly message: string;
  }
  | {
    readonly kind: "refused";
    readonly frontend: string;
    readonly pool: string;
    readonly client: Address;
    readonly atMs: number;
    readonly reason: RefusalReason;
    readonly attempts: number;
    /** As {@linkcode Decision.picks}; empty for a client that was turned away before any. */
    readonly picks: readonly PickTrace[];
  }
  | {
    readonly kind: "accept_failed";
    readonly frontend: string;
    readonly atMs: number;
    readonly failure: FailureKind;
    readonly message: string;
  };

export interface EngineCounters {
  /** Clients accepted since start. */
  readonly accepted: number;
  /** Tunnels made since start. */
  readonly opened: number;
  /** Tunnels that stand now. */
  readonly active: number;
  readonly refused: number;
  readonly connectFailures: number;
  /** Bytes relayed by tunnels that have ended. */
  readonly bytesToBackend: number;
  readonly bytesToClient: number;
  /** Events thrown away because nobody read them in time. */
  readonly eventsDropped: number;
  /** Tunnels that stand now, by frontend. */
  readonly activeByFrontend: ReadonlyMap<string, number>;
}

export interface Engine extends AsyncDisposable {
  readonly name: "splice" | "portable";
  /**
   * Listens for exactly these frontends: binds the new ones, keeps those whose address stays, stops
   * those that are gone (their tunnels go on). All or nothing.
   * @returns the bound addresses by frontend, port 0 resolved, in the order of `listen`.
   * @throws {Error} naming the address that cannot be bound; then nothing has changed.
   */
  start(frontends: readonly Frontend[]): Promise<ReadonlyMap<string, readonly Address[]>>;
  /** Makes a pool's plan the one that connections accepted from now on use. */
  publish(pool: string, plan: PoolPlan): void;
  /** Forgets a pool: clients of a frontend that names it are refused. */
  withdraw(pool: string): void;
  counters(): EngineCounters;
  /** One reader. Ends when the engine is disposed. */
  events(): AsyncIterable<EngineEvent>;
  /**
   * Stops accepting and resolves at the last tunnel's end. When the signal is aborted, what still
   * stands is cut, with the reason `shutdown`.
   */
  drain(signal: AbortSignal): Promise<void>;
}
