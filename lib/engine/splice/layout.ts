// What the control plane and the workers share: the words of shared memory, each with one writer
// (named below) or changed by Atomics.add alone. A worker's tunnels stand here as well, so that the
// control plane can close the descriptors of a worker that died.

import { SOCKADDR_WORDS } from "./sockaddr.ts";

/** Control words of one worker (Int32). */
export const MESSAGES_SENT = 0; // messages posted to the worker; control plane
export const MESSAGES_READ = 1; // messages it has acted on; worker
export const HEARTBEAT = 2; // counts the turns of its loop; worker
export const LISTENING = 3; // 1: the control plane sleeps until events come; both, by exchange
export const RING_HEAD = 4; // next word to write; worker
export const RING_TAIL = 5; // next word to read; control plane
export const TOUCHED = 6; // tunnels below this number may be in use; worker
export const CONTROL_WORDS = 16;

/** Counters of one worker (Float64, written by the worker). */
export const ACCEPTED = 0;
export const OPENED = 1;
export const ACTIVE_TUNNELS = 2;
export const REFUSED = 3;
export const CONNECT_FAILURES = 4;
export const BYTES_TO_BACKEND = 5;
export const BYTES_TO_CLIENT = 6;
export const EVENTS_DROPPED = 7;
/** Tunnels that copy because no pipe was to be had, since start. */
export const PIPES_DENIED = 8;
const COUNTERS = 16;

/** Words of one tunnel (Int32, written by the worker; the control plane reads them too (session_reader.ts)). Two-sided ones: client, then backend. */
export const STATE = 0;
export const FLAGS = 1;
export const FD = 2; // and 3
export const SERIAL = 4; // and 5: tells events of this socket from those of an earlier one
export const HOLDER = 6; // and 7: what holds bytes on their way: pipe + 1, -(buffer + 1), 0 nothing
export const HELD = 8; // and 9: how many bytes
export const FRONTEND = 10;
export const PLAN = 11;
export const ROW = 12;
export const ADDRESS = 13; // which of the endpoint's addresses
export const ATTEMPTS = 14;
export const REASON = 15;
export const TIMER_NEXT = 16;
export const TIMER_PREVIOUS = 17;
export const TIMER_BUCKET = 18;
export const CHOICE = 19; // 6 words, see records.ts
export const ERRNO = 25; // of the last attempt to connect
export const LISTENER = 26;
export const CLIENT_ADDRESS = 27;
export const OUTGOING_ADDRESS = CLIENT_ADDRESS + SOCKADDR_WORDS;
export const POOL = OUTGOING_ADDRESS + SOCKADDR_WORDS;
export const STEP = POOL + 1; // in which the place was taken (core/pick/young.ts)
/** 1: it has a place in the count of its address (core/admission/source_table.ts). */
export const SOURCE_PLACE = STEP + 1;
export const TICKET = SOURCE_PLACE + 1; // in the pool's queue (core/dial/pool_queue.ts), while it is there
export const QUEUED_MS = TICKET + 1; // how long it was in queues
export const TUNNEL_WORDS = 48;

/** Numbers of one tunnel (Float64, written by the worker). */
export const TUNNEL_ID = 0;
export const CONNECT_STARTED = 1;
export const OPENED_AT = 2;
export const LAST_MOVE = 3;
export const DEADLINE = 4;
export const BYTES = 5; // and 6: to the backend, to the client
export const ACCEPTED_AT = 7;
export const TUNNEL_NUMBERS = 8;

/** Values of STATE. */
export const FREE = 0;
/** Between two attempts to connect, waiting for a descriptor or for room in a unix backlog. */
export const WAITING = 1;
export const CONNECTING = 2;
export const OPEN = 3;
/** Refused, and reads why; holds nothing but its socket (lingering.ts). */
export const LINGERING = 4;
/** Its PROXY header is still to come (header_reader.ts). */
export const READING_HEADER = 5;
/** In the pool's queue for a place. */
export const QUEUED = 6;

/** Most pipes that one worker keeps track of; beyond it, tunnels copy. */
export const MAX_PIPES = 16384;
/** Frontends that one engine knows by number in its life. */
export const MAX_FRONTENDS = 1024;
/** Workers of an engine. */
export const MAX_WORKERS = 256;
/** Plans in use at a time: one per pool, and older ones that tunnels still hold. */
export const MAX_PLANS = 4096;
/** 1 MiB of records per worker: some 1500 tunnels' worth in a pool of 16. A power of two. */
export const RING_WORDS = 1 << 18;

/** Words that all workers of an engine share (Int32, changed by Atomics). */
export const NEXT_TUNNEL_LOW = 0;
export const NEXT_TUNNEL_HIGH = 1;
/** Numbers the records of all workers, so that they can be read in the order they were written in. */
export const NEXT_RECORD = 2;
/** Clients that wait because there was no descriptor or no memory for their backend's socket. */
export const OUT_OF_DESCRIPTORS = 3;
/** What is remembered of a shortage, so that all workers together say it once (core/timing/throttled_condition.ts). */
export const SHORTAGE = 4;
/** The descriptor that is kept back, plus 1; 0: none is (reserve.ts). */
export const RESERVE = 5;
/** Frontends whose FRONTEND_QUEUE is set. */
export const QUEUES = 6;
/** Clients that each worker has: tunnels, those that still connect, those in its handoff. */
export const WORKER_LOAD = 16;
export const FRONTEND_ACTIVE = WORKER_LOAD + MAX_WORKERS;
export const PLAN_REFERENCES = FRONTEND_ACTIVE + MAX_FRONTENDS;
/** 1: clients may wait in the kernel's queues of a frontend because it was full (full_frontends.ts). */
export const FRONTEND_QUEUE = PLAN_REFERENCES + MAX_PLANS;
const ENGINE_WORDS = FRONTEND_QUEUE + MAX_FRONTENDS;

/** One worker's share of memory. */
export interface WorkerMemory {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly counters: Float64Array<SharedArrayBuffer>;
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly numbers: Float64Array<SharedArrayBuffer>;
  /** By tunnel, as a sockaddr: the address that the client reached, where a PROXY header told it. */
  readonly reached: Int32Array<SharedArrayBuffer>;
  readonly pipes: Int32Array<SharedArrayBuffer>;
  readonly ring: Int32Array<SharedArrayBuffer>;
  /** Tunnels there is room for. */
  readonly capacity: number;
}

/** Makes the memory of one worker; the kernel gives pages only to what is touched. */
export function allocateWorkerMemory(capacity: number): WorkerMemory {
  return {
    control: new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4)),
    counters: new Float64Array(new SharedArrayBuffer(COUNTERS * 8)),
    words: new Int32Array(new SharedArrayBuffer(capacity * TUNNEL_WORDS * 4)),
    numbers: new Float64Array(new SharedArrayBuffer(capacity * TUNNEL_NUMBERS * 8)),
    reached: new Int32Array(new SharedArrayBuffer(capacity * SOCKADDR_WORDS * 4)),
    pipes: new Int32Array(new SharedArrayBuffer(MAX_PIPES * 2 * 4)),
    ring: new Int32Array(new SharedArrayBuffer(RING_WORDS * 4)),
    capacity,
  };
}

/** Makes the memory that the workers of an engine share. */
export function allocateEngineMemory(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(ENGINE_WORDS * 4));
}
