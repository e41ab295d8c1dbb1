// The engine's events on the control plane: reads the records that workers wrote (records.ts) and puts
// names to their numbers.

import { type Address, formatAddress } from "../../core/address.ts";
import { classify } from "../../core/errors.ts";
import { Choice } from "../../core/pick_kernels.ts";
import { describeChoice } from "../decision.ts";
import type {
  Decision,
  EndReason,
  EngineEvent,
  PickTrace,
  PoolPlan,
  RefusalReason,
} from "../engine.ts";
import { type SnapshotStore, StoredTrace } from "../pick_trace.ts";
import { codeOf, LibcError, textOf } from "./libc.ts";
import type { PickJoin } from "./pick_join.ts";
import {
  ACCEPT_FAILED_RECORD,
  BACKEND_CLOSED,
  BACKEND_RESET,
  CLIENT_CLOSED,
  CLIENT_RESET,
  CLOSED_RECORD,
  CONNECT_FAILED_RECORD,
  CONNECT_FAILURE,
  FRONTEND_FULL,
  IDLE_TIMEOUT,
  KERNEL_MASK,
  NO_BACKEND,
  OPENED_RECORD,
  OUT_OF_DESCRIPTORS,
  PACED_FLAG,
  PICKED_RECORD,
  REFUSED_RECORD,
  SHUTDOWN,
  STICKY_FLAG,
} from "./records.ts";
import type { RecordCursor } from "./ring.ts";
import { decodeSockaddr, SOCKADDR_WORDS } from "./sockaddr.ts";

const END_REASONS: Readonly<Record<number, EndReason>> = {
  [CLIENT_CLOSED]: "client_closed",
  [BACKEND_CLOSED]: "backend_closed",
  [CLIENT_RESET]: "client_reset",
  [BACKEND_RESET]: "backend_reset",
  [IDLE_TIMEOUT]: "idle_timeout",
  [SHUTDOWN]: "shutdown",
};

const REFUSALS: Readonly<Record<number, RefusalReason>> = {
  [NO_BACKEND]: "no_backend",
  [CONNECT_FAILURE]: "connect_failed",
  [FRONTEND_FULL]: "frontend_full",
  [OUT_OF_DESCRIPTORS]: "out_of_descriptors",
};

/** A plan that tunnels were made by. */
export interface NamedPlan {
  readonly pool: string;
  readonly plan: PoolPlan;
}

/** What the numbers in records stand for. */
export interface Names {
  frontend(index: number): string;
  plan(seat: number): NamedPlan | undefined;
  pool(number: number): string;
  /** Where a listener listens. */
  bound(listener: number): Address | undefined;
}

/** Reads one record. @returns undefined for a pick, which a later event of its client tells. */
export function readEvent(
  record: RecordCursor,
  names: Names,
  picks: PickJoin,
  snapshots: SnapshotStore,
): EngineEvent | undefined {
  const kind = record.word();
  switch (kind) {
    case PICKED_RECORD:
      readPicked(record, names, picks, snapshots);
      return undefined;
    case OPENED_RECORD:
      return readOpened(record, names, picks);
    case CLOSED_RECORD:
      return readClosed(record, names);
    case CONNECT_FAILED_RECORD:
      return readConnectFailed(record, names, picks);
    case REFUSED_RECORD:
      return readRefused(record, names, picks);
    case ACCEPT_FAILED_RECORD:
      return readAcceptFailed(record, names);
    default:
      throw new Error(`Cannot read an engine event: kind ${kind} is unknown`);
  }
}

/** Filled anew by each record. */
const CHOICE = new Choice();

const NOWHERE: Address = { transport: "unix", path: "" };

function readAddress(record: RecordCursor): Address {
  return decodeSockaddr(record.words, record.skip(SOCKADDR_WORDS));
}

function readPicked(
  record: RecordCursor,
  names: Names,
  picks: PickJoin,
  snapshots: SnapshotStore,
): void {
  const slot = record.word();
  const serial = record.word();
  const endpoints = names.plan(record.word())?.plan.endpoints ?? [];
  const atMs = record.number();
  const place = snapshots.put(record.words, record.at);
  picks.add(slot, serial, new StoredTrace(atMs, snapshots, place, endpoints));
}

function readOpened(record: RecordCursor, names: Names, join: PickJoin): EngineEvent {
  const picks = join.take(record.word(), record.word());
  const tunnel = record.number();
  const frontend = names.frontend(record.word());
  const named = names.plan(record.word());
  const row = record.word();
  const address = record.word();
  const attempts = record.word();
  const atMs = record.number();
  const connectMs = record.number();
  const decision = readDecision(record, named, picks);
  const client = readAddress(record);
  const local = readAddress(record);
  const outgoing = readAddress(record);
  const bound = names.bound(record.word());
  return {
    kind: "opened",
    tunnel,
    frontend,
    pool: named?.pool ?? "",
    row,
    backend: named?.plan.endpoints[row]?.backend ?? "",
    client,
    atMs,
    local: bound?.transport === "unix" ? bound : local,
    outgoing,
    backendAddress: named?.plan.endpoints[row]?.addresses[address] ?? NOWHERE,
    attempts,
    connectMs,
    decision,
  };
}

function readDecision(
  record: RecordCursor,
  named: NamedPlan | undefined,
  picks: readonly PickTrace[],
): Decision {
  const kernel = record.word();
  CHOICE.kernel = kernel & KERNEL_MASK;
  CHOICE.sticky = (kernel & STICKY_FLAG) !== 0;
  CHOICE.paced = (kernel & PACED_FLAG) !== 0;
  CHOICE.free = record.word();
  CHOICE.active = record.word();
  CHOICE.runnerUp = record.word();
  CHOICE.runnerUpFree = record.word();
  CHOICE.runnerUpActive = record.word();
  return describeChoice(CHOICE, named?.plan.endpoints ?? [], picks);
}

function readClosed(record: RecordCursor, names: Names): EngineEvent {
  const tunnel = record.number();
  const frontend = names.frontend(record.word());
  const named = names.plan(record.word());
  const row = record.word();
  return {
    kind: "closed",
    tunnel,
    frontend,
    pool: named?.pool ?? "",
    row,
    backend: named?.plan.endpoints[row]?.backend ?? "",
    atMs: record.number(),
    durationMs: record.number(),
    bytesToBackend: record.number(),
    bytesToClient: record.number(),
    reason: END_REASONS[record.word()] ?? "shutdown",
    client: readAddress(record),
    outgoing: readAddress(record),
  };
}

function readConnectFailed(record: RecordCursor, names: Names, join: PickJoin): EngineEvent {
  const slot = record.word();
  const serial = record.word();
  const frontend = names.frontend(record.word());
  const named = names.plan(record.word());
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
    client: readAddress(record),
  };
}

function readRefused(record: RecordCursor, names: Names, join: PickJoin): EngineEvent {
  const picks = join.take(record.word(), record.word());
  const frontend = names.frontend(record.word());
  const pool = names.pool(record.word());
  return {
    kind: "refused",
    frontend,
    pool,
    atMs: record.number(),
    reason: REFUSALS[record.word()] ?? "no_backend",
    attempts: record.word(),
    client: readAddress(record),
    picks,
  };
}

function readAcceptFailed(record: RecordCursor, names: Names): EngineEvent {
  const frontend = names.frontend(record.word());
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
