// Engine events for tests: made from literals, and kept beyond the call in which an engine told them.

import { type PickTrace } from "../../lib/core/pick/pick_report.ts";
import { type Address, formatAddress } from "../../lib/core/values/address.ts";
import { type Chosen, NO_ROW } from "../../lib/core/pick/choice.ts";
import { UNKNOWN_FREE } from "../../lib/core/pick/pick_table.ts";
import type { DecisionEvent, EngineEvent, Picks } from "../../lib/engine/engine.ts";

export type OpenedEvent = Extract<EngineEvent, { kind: "opened" }>;
export type ClosedEvent = Extract<EngineEvent, { kind: "closed" }>;

const SOMEWHERE: Address = { transport: "tcp", host: "192.0.2.1", port: 50_000 };

/** What a pick leaves behind when a row was taken and nothing is known of it. */
export const CHOSEN: Chosen = {
  kernel: 0,
  row: 0,
  free: UNKNOWN_FREE,
  active: 0,
  runnerUp: NO_ROW,
  runnerUpFree: UNKNOWN_FREE,
  runnerUpActive: 0,
  sticky: false,
  paced: false,
  step: 0,
  charge: 0,
};

/** A store that remembers these picks of the one connection there is. */
export function storeOf(picks: readonly PickTrace[]): Picks {
  return {
    chain: () => picks,
    kernelAt: () => picks.at(-1)?.kernel,
    read: () => undefined,
  };
}

/** Every pick of a connection, as far as they are remembered. */
export function picksOf({ store, lastPick }: DecisionEvent): readonly PickTrace[] {
  return store.chain(lastPick);
}

function ofTunnel(fields: { readonly client?: Address; readonly outgoing?: Address }) {
  const { client = SOMEWHERE, outgoing = SOMEWHERE } = fields;
  return {
    tunnel: 1,
    frontend: "f",
    pool: "p",
    row: 0,
    backend: "b",
    atMs: 0,
    client,
    outgoing,
    putClient: (line: { text(text: string): void }) => line.text(formatAddress(client)),
    putOutgoing: (line: { text(text: string): void }) => line.text(formatAddress(outgoing)),
  };
}

export function openedEvent(fields: Partial<OpenedEvent> = {}): OpenedEvent {
  const { store = storeOf([]) } = fields;
  return {
    kind: "opened",
    ...ofTunnel(fields),
    local: SOMEWHERE,
    backendAddress: SOMEWHERE,
    attempts: 1,
    connectMs: 1,
    queueMs: 0,
    choice: CHOSEN,
    endpoints: [],
    lastPick: 0,
    ...fields,
    store,
  };
}

export function closedEvent(fields: Partial<ClosedEvent> = {}): ClosedEvent {
  return {
    kind: "closed",
    ...ofTunnel(fields),
    bytesToBackend: 0,
    bytesToClient: 0,
    durationMs: 0,
    reason: "client_closed",
    ...fields,
  };
}

/** Copies an event, which its engine may write over once the listener has returned. */
export function keepEvent(event: EngineEvent): EngineEvent {
  if (event.kind !== "opened" && event.kind !== "closed") return event;
  const { tunnel, frontend, pool, row, backend, atMs, client, outgoing } = event;
  const common = { tunnel, frontend, pool, row, backend, atMs, client, outgoing };
  if (event.kind === "closed") {
    const { bytesToBackend, bytesToClient, durationMs, reason } = event;
    return closedEvent({ ...common, bytesToBackend, bytesToClient, durationMs, reason });
  }
  const { local, backendAddress, attempts, connectMs, queueMs } = event;
  const { endpoints, lastPick, store } = event;
  return openedEvent({
    ...common,
    local,
    backendAddress,
    attempts,
    connectMs,
    queueMs,
    choice: { ...event.choice },
    endpoints,
    lastPick,
    store,
  });
}
