// What the control plane knows of a data plane: frontends and plans go in, counters and events come out.
// No socket crosses this line, so an engine can be made of anything.

import type { QueuePlan } from "../core/dial/dial_policy.ts";
import type { Address } from "../core/values/address.ts";
import type { Chosen } from "../core/pick/choice.ts";
import type { SnapshotReader } from "../core/pick/snapshot_reader.ts";
import type { PickTrace } from "../core/pick/pick_report.ts";
import type { FailureKind } from "../core/values/errors.ts";
import type { LineBytes } from "../core/values/line_bytes.ts";
import type { Location } from "../core/location/location_table.ts";
import type { NetworkSet } from "../core/location/network_set.ts";
import type { SourceLimits } from "../core/admission/source_table.ts";
import type { PickTable } from "../core/pick/pick_table.ts";
import type { ProxyVersion } from "../core/proxy_protocol/proxy_endpoint.ts";

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
  /**
   * Connections from these networks begin with a PROXY header, v1 or v2, and what it says counts for the
   * client's address and for the one that it reached. Absent: nobody's do. Of others nothing is read.
   */
  readonly acceptProxyFrom?: NetworkSet;
  /**
   * Who may not come in: a client that is in one of these sets is refused before anything else is done for it,
   * once its PROXY header is read. Clients of unix sockets are not looked up.
   */
  readonly denied?: readonly NetworkSet[];
  /** Most clients at a time over all its addresses, those on their way included. 0: no limit. */
  readonly maxConnections: number;
  /** Beyond that, clients wait in the kernel's queue, or are closed at once. */
  readonly whenFull: "wait" | "close";
  /** What each client address may have; absent: no limits. Clients of unix sockets have none. */
  readonly perSource?: SourceLimits;
  /** A tunnel on which no byte moved either way for so long is ended. 0: never. */
  readonly idleTimeoutMs: number;
  /** What its clients read that get no tunnel; absent: nothing. */
  readonly refusalText?: RefusalText;
}

/**
 * The bytes that a refused client is sent, by the reason; for a missing reason, none. It may read them for some
 * seconds; many who do not close are closed at once, and so is everybody while descriptors are short.
 */
export type RefusalText = ReadonlyMap<RefusalReason, Uint8Array<ArrayBuffer>>;

/** How a pool is used by the engine. The table's words change all the time, the rest on publish. */
export interface PoolPlan {
  readonly table: PickTable;
  /** By row: what stands there, or undefined for a gap. */
  readonly endpoints: readonly (Endpoint | undefined)[];
  readonly connectTimeoutMs: number;
  /** How many other backends are tried after the first did not take the connection. */
  readonly connectRetries: number;
  /** Who waits where every backend that should take a client is full (core/dial/dial_policy.ts). */
  readonly queue: QueuePlan;
  /** The PROXY header with which connections to the backends begin; absent: none. */
  readonly sendProxy?: ProxyVersion;
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
  /** Cut by the balancer itself, as it stops. */
  | "shutdown"
  /** An administrator has ended it. */
  | "killed"
  /** The deadline of its backend's drain has come. */
  | "drained";

/** Why a client got no tunnel. */
export type RefusalReason =
  /** No backend is eligible (none up, none enabled, or all full where nobody waits). */
  | "no_backend"
  /** Backends were tried, none took the connection. */
  | "connect_failed"
  /** A list of networks denies its address. */
  | "denied"
  | "frontend_full"
  /** Its network is one from which a PROXY header is expected, and none came, or one that is malformed. */
  | "bad_proxy_header"
  /** Its address has as many connections as it may have. */
  | "source_full"
  /** From its address came too many connections lately. */
  | "source_rate"
  /** The process or the machine ran out of descriptors or memory, and stayed so for as long as a connect may take. */
  | "out_of_descriptors"
  /** All backends are full, and as many wait for a place as may. */
  | "queue_full"
  /** All backends were full for as long as a client may wait for a place. */
  | "queue_timeout"
  /** The client was gone before there was a place for it. */
  | "client_left"
  /** The pool is fed, and no token came for the client in time. */
  | "starved";

/** Where an engine remembers its picks, by their places. */
export interface Picks {
  /**
   * Every pick of the connection whose last one is at a place, the first one first, that of its backend
   * last, as far as they are remembered; none when the record was lost because nobody read in time.
   */
  chain(last: number): readonly PickTrace[];
  /** The kernel that made a pick; undefined when it is forgotten. */
  kernelAt(place: number): string | undefined;
  /** What a pick saw, good until the next is read; undefined when it is forgotten. */
  read(place: number): SnapshotReader | undefined;
}

/** A connection for which backends were picked. */
interface Picked {
  /** The place of its last pick in the store; of none for a client that was turned away before any. */
  readonly lastPick: number;
  readonly store: Picks;
}

interface TunnelEvent {
  /** Counts up from 1 within one engine. */
  readonly tunnel: number;
  readonly frontend: string;
  readonly pool: string;
  readonly row: number;
  readonly backend: string;
  readonly client: Address;
  /** The balancer's own address that the backend sees: what ties sshd's log to the client. */
  readonly outgoing: Address;
  /** These write the addresses without making an object of them. */
  putClient(line: LineBytes): void;
  putOutgoing(line: LineBytes): void;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/**
 * What the engine saw. An event may be one object for all of its kind, which reads its record when it is
 * asked: it holds only while {@linkcode Engine.deliver} calls the listener.
 */
export type EngineEvent =
  | TunnelEvent & Picked & {
    readonly kind: "opened";
    /** The address that the client reached: the balancer's own, or the one that a PROXY header told. */
    readonly local: Address;
    readonly backendAddress: Address;
    /** Backends tried, this one included. */
    readonly attempts: number;
    readonly connectMs: number;
    /** How long the client waited for a place in the pool's queue. */
    readonly queueMs: number;
    /** What the last pick looked at, in numbers, and what stood in the rows then. */
    readonly choice: Chosen;
    readonly endpoints: readonly (Endpoint | undefined)[];
  }
  | TunnelEvent & {
    readonly kind: "closed";
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
  | Picked & {
    readonly kind: "refused";
    readonly frontend: string;
    readonly pool: string;
    readonly client: Address;
    readonly atMs: number;
    readonly reason: RefusalReason;
    readonly attempts: number;
    readonly queueMs: number;
  }
  | {
    readonly kind: "accept_failed";
    readonly frontend: string;
    readonly atMs: number;
    readonly failure: FailureKind;
    readonly message: string;
  };

/** Events that tell of a decision. */
/**
 * Takes an event, which is good during the call.
 * @param nowMs when it is told, by the clock: events that are told together may share one reading of it.
 */
export type EngineListener = (event: EngineEvent, nowMs: number) => void;

export type DecisionEvent = Extract<EngineEvent, { kind: "opened" | "refused" }>;

/** A tunnel that stands, as it is at the moment of the look. */
export interface Session {
  /** As in its events, and so in the access log. */
  readonly tunnel: number;
  readonly frontend: string;
  readonly pool: string;
  readonly backend: string;
  readonly client: Address;
  /** The balancer's own address that the backend sees. */
  readonly outgoing: Address;
  /** Milliseconds since the epoch. */
  readonly openedAtMs: number;
  /** For how long no byte has moved either way. */
  readonly idleMs: number;
  readonly bytesToBackend: number;
  readonly bytesToClient: number;
}

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
  /** Threads that carry sessions, 0 where the control plane's own does. */
  readonly workers: number;
  /**
   * Listens for exactly these frontends: binds the new ones, keeps those whose address stays, stops
   * those that are gone (their tunnels go on). All or nothing. Starts run one after the other.
   * @param atSwitch runs, without a pause, between the last client that goes by the frontends and plans of
   * before and the first that goes by these. What is published, withdrawn and written into tables in it
   * holds from there on; no client meets some of the one and some of the other. Must not throw; does not
   * run when an address cannot be bound, nor when `beforeAccept` fails.
   * @param beforeAccept awaited once every address is bound, before any client of a new address is
   * accepted: those who come meanwhile wait in the kernel's queue. For what clients must not be faster
   * than: descriptors that they would use up, privileges that are to be given up first. At addresses that
   * stay, clients are served as before meanwhile. Returns the frontends with what was learnt meanwhile:
   * their names and addresses must be those that were given.
   * @returns the bound addresses by frontend, port 0 resolved, in the order of `listen`.
   * @throws {Error} naming the address that cannot be bound, or what `beforeAccept` throws; then nothing
   * has changed, and what was bound is closed again.
   */
  start(
    frontends: readonly Frontend[],
    atSwitch?: () => void,
    beforeAccept?: () => Promise<readonly Frontend[]>,
  ): Promise<ReadonlyMap<string, readonly Address[]>>;
  /**
   * Makes a pool's plan the one that connections accepted from now on use. Those that look for a backend
   * already go on by the plan with which they began, as far as its rows are still eligible; when none is
   * left, they begin anew as if they came now.
   */
  publish(pool: string, plan: PoolPlan): void;
  /** Forgets a pool: clients of a frontend that names it are refused. */
  withdraw(pool: string): void;
  /** Whether a plan in use, or a client that goes by one, needs this table; may say so a while too long. */
  uses(table: PickTable): boolean;
  counters(): EngineCounters;
  /** The tunnels that stand, in the order of their numbers. */
  sessions(): readonly Session[];
  /**
   * Has tunnels ended, at once: what is on its way in them may be lost. Each one's `closed` event says when
   * that is done. Numbers of tunnels that have ended are passed over.
   * @param tunnels as in their events.
   */
  end(tunnels: readonly number[], reason: EndReason): void;
  /**
   * Calls the one listener for every event, in order, until the engine is disposed.
   */
  deliver(listener: EngineListener): Promise<void>;
  /**
   * Stops accepting and resolves at the last tunnel's end. When the signal is aborted, what still
   * stands is cut, with the reason `shutdown`.
   */
  drain(signal: AbortSignal): Promise<void>;
}
