// A pool's plan in the worker.

import { PickTable } from "../../core/pick/pick_table.ts";
import type { DialPlan, QueuePlan } from "../../core/dial/dial_policy.ts";
import type { ProxyVersion } from "../../core/proxy_protocol/proxy_endpoint.ts";
import type { PlanSpec } from "./control_messages.ts";
import { addressOf } from "./libc.ts";

/** An address of an endpoint, ready for connect(2). */
export interface Target {
  readonly family: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly pointer: Deno.PointerObject;
}

export class Plan implements DialPlan {
  readonly id: number;
  readonly table: PickTable;
  /** An address is undefined that the kernel cannot be told. */
  readonly endpoints:
    readonly ({ readonly addresses: readonly (Target | undefined)[] } | undefined)[];
  readonly connectTimeoutMs: number;
  readonly connectRetries: number;
  readonly sendProxy: ProxyVersion | undefined;
  readonly queue: QueuePlan;
  /** This worker's clients that go by this plan and are in the pool's queue (queues.ts). */
  queued = 0;

  constructor(spec: PlanSpec) {
    this.id = spec.id;
    this.table = new PickTable(spec.table);
    this.connectTimeoutMs = spec.connectTimeoutMs;
    this.connectRetries = spec.connectRetries;
    this.queue = spec.queue;
    this.sendProxy = spec.sendProxy;
    this.endpoints = spec.rows.map((row) => row && { addresses: row.map(targetOf) });
  }
}

function targetOf(bytes: Uint8Array<ArrayBuffer> | undefined): Target | undefined {
  return bytes && { family: bytes[0] ?? 0, bytes, pointer: addressOf(bytes) };
}
