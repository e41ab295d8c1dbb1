// The messages between the control plane and a worker. They are posted, counted in MESSAGES_SENT, and the
// worker is woken by its eventfd; it accepts no client while a message waits, so what was posted holds
// for every client that connects afterwards.

import type { SourceLimits } from "../../core/admission/source_table.ts";
import type { QueuePlan } from "../../core/dial/dial_policy.ts";
import type { ProxyVersion } from "../../core/proxy_protocol/proxy_endpoint.ts";
import type { WorkerMemory } from "./layout.ts";

/** How long a socket may stay silent or unacknowledged. */
export interface KeepaliveOptions {
  /** Seconds without traffic before the first probe; 0 turns keepalive off. */
  readonly idleSeconds: number;
  readonly intervalSeconds: number;
  /** Probes without an answer before the connection is given up. */
  readonly count: number;
  /** Most milliseconds that sent data may stay unacknowledged; 0 leaves it to the kernel. */
  readonly userTimeoutMs: number;
}

/** A listening socket, ready to accept. */
export interface ListenerSpec {
  readonly id: number;
  readonly fd: number;
  readonly frontend: number;
  /** Pools by number: the frontend's own, then those that its location names. */
  readonly pools: readonly number[];
  /** The table that says which of `pools` a client goes to; absent: the first. */
  readonly location?: SharedArrayBuffer;
  /** The networks from which clients begin with a PROXY header; absent: none do. */
  readonly acceptProxyFrom?: SharedArrayBuffer;
  /** Sets of those who may not come in. */
  readonly denied: readonly SharedArrayBuffer[];
  readonly maxConnections: number;
  /** Whether clients beyond that wait in the kernel's queue. */
  readonly waitsWhenFull: boolean;
  readonly perSource?: SourceLimits;
  readonly idleTimeoutMs: number;
  /** The bound sockaddr when it names one address; absent when it is a wildcard or unix. */
  readonly local?: Int32Array;
  readonly unix: boolean;
  /** What refused clients read, by the number of the reason (records.ts). */
  readonly refusalText: readonly (Uint8Array<ArrayBuffer> | undefined)[];
}

/** A pool's plan. */
export interface PlanSpec {
  readonly id: number;
  readonly pool: number;
  readonly table: SharedArrayBuffer;
  /**
   * By table row: its sockaddrs in the order to try, undefined for one that is no literal; or undefined
   * for a gap.
   */
  readonly rows: readonly (readonly (Uint8Array<ArrayBuffer> | undefined)[] | undefined)[];
  readonly connectTimeoutMs: number;
  readonly connectRetries: number;
  readonly queue: QueuePlan;
  readonly sendProxy?: ProxyVersion;
}

export interface WorkerSetup {
  readonly memory: WorkerMemory;
  readonly engine: Int32Array<SharedArrayBuffer>;
  /** The memory of the engine's SourceTable. */
  readonly sources: SharedArrayBuffer;
  readonly epollFd: number;
  /** Which of the workers this one is. */
  readonly number: number;
  /** All workers' handoffs, and the eventfds that ring for them. */
  readonly handoffs: readonly SharedArrayBuffer[];
  readonly wakeFds: readonly number[];
  readonly keepalive: KeepaliveOptions;
  /** Where the worker's clock begins, in milliseconds since the epoch. */
  readonly originMs: number;
}

export type ToWorker =
  | { readonly kind: "setup"; readonly setup: WorkerSetup }
  /**
   * Begin no client from now on until told to listen. First begin the clients that wait at listeners
   * that will be closed, and those that other workers have handed over.
   */
  | { readonly kind: "hold"; readonly id: number; readonly closing: readonly number[] }
  /** Accept on exactly these from now on. */
  | { readonly kind: "listen"; readonly id: number; readonly listeners: readonly ListenerSpec[] }
  /** These two hold at once, between `hold` and `listen` from `listen` on. */
  | { readonly kind: "publish"; readonly plan: PlanSpec }
  | { readonly kind: "withdraw"; readonly pool: number }
  /** End every tunnel, with the reason `shutdown`. */
  | { readonly kind: "cut" }
  /** End the tunnels with these numbers that are still open; the reason is a number of records.ts. */
  | { readonly kind: "end"; readonly tunnels: readonly number[]; readonly reason: number }
  /** Leave the loop and end the thread. */
  | { readonly kind: "stop" };

export type FromWorker =
  /** It listens: what was posted before would be lost while its modules load. */
  | { readonly kind: "hello" }
  | { readonly kind: "ready" }
  /** It has acted on the message of that id. */
  | { readonly kind: "done"; readonly id: number }
  | { readonly kind: "events" }
  | { readonly kind: "stopped" };
