// The engine's events on the control plane: reads the records that workers wrote (records.ts) and puts
// names to their numbers. One object per kind serves all events of that kind, one after the other, and
// reads addresses from the record when it is asked: what a connection tells costs no allocation.

import { type Address, formatAddress } from "../../core/values/address.ts";
import { classify } from "../../core/values/errors.ts";
import type { LineBytes } from "../../core/values/line_bytes.ts";
import { Choice } from "../../core/pick/pick_kernels.ts";
import type {
  Endpoint,
  EndReason,
  EngineEvent,
  PoolPlan,
  RefusalReason,
  RefusalText,
} from "../engine.ts";
import { NO_PICK, type PickStore } from "../pick_store.ts";
import { codeOf, LibcError, textOf } from "./libc.ts";
import type { PickJoin } from "./pick_join.ts";
import {
  ACCEPT_FAILED_RECORD,
  BACKEND_CLOSED,
  BACKEND_RESET,
  BAD_PROXY_HEADER,
  CLIENT_CLOSED,
  CLIENT_LEFT,
  CLIENT_RESET,
  CLOSED_RECORD,
  CONNECT_FAILED_RECORD,
  CONNECT_FAILURE,
  DENIED,
  DRAINED,
  FRONTEND_FULL,
  IDLE_TIMEOUT,
  KERNEL_MASK,
  KILLED,
  NO_BACKEND,
  OPENED_RECORD,
  OUT_OF_DESCRIPTORS,
  PACED_FLAG,
  PICKED_RECORD,
  QUEUE_FULL,
  QUEUE_TIMEOUT,
  REFUSED_RECORD,
  SHUTDOWN,
  SOURCE_FULL,
  SOURCE_RATE,
  STARVED,
  STICKY_FLAG,
} from "./records.ts";
import type { RecordCursor } from "./ring.ts";
import { decodeSockaddr, putSockaddr, SOCKADDR_WORDS } from "./sockaddr.ts";

const END_REASONS: Readonly<Record<number, EndReason>> = {
  [CLIENT_CLOSED]: "client_closed",
  [BACKEND_CLOSED]: "backend_closed",
  [CLIENT_RESET]: "client_reset",
  [BACKEND_RESET]: "backend_reset",
  [IDLE_TIMEOUT]: "idle_timeout",
  [SHUTDOWN]: "shutdown",
  [KILLED]: "killed",
  [DRAINED]: "drained",
};

/** The number by which workers know why a tunnel ends. */
export function numberOfEnd(reason: EndReason): number {
  const found = Object.entries(END_REASONS).find(([, word]) => word === reason);
  return Number(found?.[0] ?? SHUTDOWN);
}

const REFUSALS: Readonly<Record<number, RefusalReason>> = {
  [NO_BACKEND]: "no_backend",
  [CONNECT_FAILURE]: "connect_failed",
  [FRONTEND_FULL]: "frontend_full",
  [OUT_OF_DESCRIPTORS]: "out_of_descriptors",
  [DENIED]: "denied",
  [SOURCE_FULL]: "source_full",
  [SOURCE_RATE]: "source_rate",
  [BAD_PROXY_HEADER]: "bad_proxy_header",
  [QUEUE_FULL]: "queue_full",
  [QUEUE_TIMEOUT]: "queue_timeout",
  [CLIENT_LEFT]: "client_left",
  [STARVED]: "starved",
};

/** What refused clients read, by the number by which workers know why. */
export function refusalTextByNumber(
  text: RefusalText = new Map(),
): (Uint8Array<ArrayBuffer> | undefined)[] {
  const byNumber: (Uint8Array<ArrayBuffer> | undefined)[] = [];
  for (const [number, reason] of Object.entries(REFUSALS)) {
    byNumber[Number(number)] = text.get(reason);
  }
  return byNumber;
}

/** A plan that tunnels were made by. */
export interface NamedPlan {
  readonly pool: string;
  readonly plan: PoolPlan;
}

/** What the numbers in records stand for. */
export interface Names {
  frontend(index: number): string;
  plan(planId: number): NamedPlan | undefined;
  pool(number: number): string;
  /** Where a listener listens. */
  bound(listener: number): Address | undefined;
}

/** Reads records; what it returns is good until the next. */
export class EventDecoder {
  readonly #names: Names;
  readonly #store: PickStore;
  readonly #record: RecordCursor;
  readonly #opened: Opened;
  readonly #closed: Closed;

  constructor(names: Names, store: PickStore, record: RecordCursor) {
    this.#names = names;
    this.#store = store;
    this.#record = record;
    this.#opened = new Opened(record.words, store);
    this.#closed = new Closed(record.words);
  }

  /** Reads the record that was taken last. @returns undefined for a pick, which a later event tells. */
  read(join: PickJoin): EngineEvent | undefined {
    const kind = this.#record.word();
    switch (kind) {
      case PICKED_RECORD:
        this.#readPicked(join);
        return undefined;
      case OPENED_RECORD:
        this.#opened.read(this.#record, this.#names, join);
        return this.#opened;
      case CLOSED_RECORD:
        this.#closed.read(this.#record, this.#names);
        return this.#closed;
      case CONNECT_FAILED_RECORD:
        return this.#readConnectFailed(join);
      case REFUSED_RECORD:
        return this.#readRefused(join);
      case ACCEPT_FAILED_RECORD:
        return this.#readAcceptFailed();
      default:
        throw new Error(`Cannot read an engine event: kind ${kind} is unknown`);
    }
  }

  #readPicked(join: PickJoin): void {
    const record = this.#record;
    const slot = record.word();
    const serial = record.word();
    const endpoints = this.#names.plan(record.word())?.plan.endpoints ?? NO_ENDPOINTS;
    const atMs = record.number();
    const previous = join.last(slot, serial);
    join.add(slot, serial, this.#store.put(record.words, record.at, endpoints, atMs, previous));
  }

  #readConnectFailed(join: PickJoin): EngineEvent {
    const record = this.#record;
    const slot = record.word();
    const serial = record.word();
    const frontend = this.#names.frontend(record.word());
    const named = this.#names.plan(record.word());
    const row = record.word();
    const endpoint = named?.plan.endpoints[row];
    const tried = record.word();
    const atMs = record.number();
    const errno = record.word();
    const address = endpoint?.addresses[tried];
    const backend = endpoint?.backend ?? "";
    const place = address === undefined ? backend : formatAddress(address);
    const failure = classify(new LibcError("connect", errno));
    join.failed(slot, serial, failure);
    return {
      kind: "connect_failed",
      frontend,
      pool: named?.pool ?? "",
      row,
      backend,
      atMs,
      failure,
      // Of a name's addresses, the one that was asked last.
      message: place === backend ? textOf(errno) : `${place}: ${textOf(errno)}`,
      client: decodeSockaddr(record.words, record.skip(SOCKADDR_WORDS)),
    };
  }

  #readRefused(join: PickJoin): EngineEvent {
    const record = this.#record;
    const lastPick = join.take(record.word(), record.word());
    const store = this.#store;
    return {
      kind: "refused",
      frontend: this.#names.frontend(record.word()),
      pool: this.#names.pool(record.word()),
      atMs: record.number(),
      reason: REFUSALS[record.word()] ?? "no_backend",
      attempts: record.word(),
      queueMs: record.word(),
      client: decodeSockaddr(record.words, record.skip(SOCKADDR_WORDS)),
      lastPick,
      store,
    };
  }

  #readAcceptFailed(): EngineEvent {
    const record = this.#record;
    const frontend = this.#names.frontend(record.word());
    const atMs = record.number();
    const errno = record.word();
    return {
      kind: "accept_failed",
      frontend,
      atMs,
      failure: classify(new LibcError("accept", errno)),
      message: `${textOf(errno)} (${codeOf(errno)})`,
    };
  }
}

const NO_ENDPOINTS: readonly undefined[] = [];
const NOWHERE: Address = { transport: "unix", path: "" };

/** What events of tunnels have in common. */
class OfTunnel {
  tunnel = 0;
  frontend = "";
  pool = "";
  row = 0;
  backend = "";
  atMs = 0;
  protected readonly words: Int32Array;
  /** Where the addresses begin in the record. */
  protected clientAt = 0;
  protected outgoingAt = 0;

  constructor(words: Int32Array) {
    this.words = words;
  }

  get client(): Address {
    return decodeSockaddr(this.words, this.clientAt);
  }

  putClient(line: LineBytes): void {
    putSockaddr(line, this.words, this.clientAt);
  }

  get outgoing(): Address {
    return decodeSockaddr(this.words, this.outgoingAt);
  }

  putOutgoing(line: LineBytes): void {
    putSockaddr(line, this.words, this.outgoingAt);
  }
}

class Opened extends OfTunnel {
  readonly kind = "opened";
  readonly choice = new Choice();
  readonly store: PickStore;
  attempts = 0;
  connectMs = 0;
  queueMs = 0;
  lastPick = NO_PICK;
  endpoints: readonly (Endpoint | undefined)[] = NO_ENDPOINTS;
  #names: Names | undefined;
  #localAt = 0;
  #listener = 0;
  #address = 0;

  constructor(words: Int32Array, store: PickStore) {
    super(words);
    this.store = store;
  }

  get local(): Address {
    const bound = this.#names?.bound(this.#listener);
    return bound?.transport === "unix" ? bound : decodeSockaddr(this.words, this.#localAt);
  }

  get backendAddress(): Address {
    return this.endpoints[this.row]?.addresses[this.#address] ?? NOWHERE;
  }

  read(record: RecordCursor, names: Names, join: PickJoin): void {
    this.#names = names;
    this.lastPick = join.take(record.word(), record.word());
    this.tunnel = record.number();
    this.frontend = names.frontend(record.word());
    const named = names.plan(record.word());
    this.pool = named?.pool ?? "";
    this.endpoints = named?.plan.endpoints ?? NO_ENDPOINTS;
    this.row = record.word();
    this.backend = this.endpoints[this.row]?.backend ?? "";
    this.#address = record.word();
    this.attempts = record.word();
    this.atMs = record.number();
    this.connectMs = record.number();
    this.queueMs = record.word();
    const { choice } = this;
    const kernel = record.word();
    choice.kernel = kernel & KERNEL_MASK;
    choice.sticky = (kernel & STICKY_FLAG) !== 0;
    choice.paced = (kernel & PACED_FLAG) !== 0;
    choice.row = this.row;
    choice.free = record.word();
    choice.active = record.word();
    choice.runnerUp = record.word();
    choice.runnerUpFree = record.word();
    choice.runnerUpActive = record.word();
    this.clientAt = record.skip(SOCKADDR_WORDS);
    this.#localAt = record.skip(SOCKADDR_WORDS);
    this.outgoingAt = record.skip(SOCKADDR_WORDS);
    this.#listener = record.word();
  }
}

class Closed extends OfTunnel {
  readonly kind = "closed";
  durationMs = 0;
  bytesToBackend = 0;
  bytesToClient = 0;
  reason: EndReason = "shutdown";

  read(record: RecordCursor, names: Names): void {
    this.tunnel = record.number();
    this.frontend = names.frontend(record.word());
    const named = names.plan(record.word());
    this.pool = named?.pool ?? "";
    this.row = record.word();
    this.backend = named?.plan.endpoints[this.row]?.backend ?? "";
    this.atMs = record.number();
    this.durationMs = record.number();
    this.bytesToBackend = record.number();
    this.bytesToClient = record.number();
    this.reason = END_REASONS[record.word()] ?? "shutdown";
    this.clientAt = record.skip(SOCKADDR_WORDS);
    this.outgoingAt = record.skip(SOCKADDR_WORDS);
  }
}
