// Dials for the portable engine: does what core/dial/dial_policy.ts says with Deno.connect.

import {
  BY_BACKEND,
  BY_BACKLOG,
  BY_LOCAL_ADDRESS,
  BY_SHORTAGE,
  CLIENT_LEFT,
  CONNECT,
  type Dial,
  type DialDriver,
  DialPolicy,
  NO_BACKEND,
  OUT_OF_DESCRIPTORS,
  QUEUE,
  QUEUE_FULL,
  QUEUE_TIMEOUT,
  STARVED,
  WAIT,
  WAIT_MS,
} from "../../core/dial/dial_policy.ts";
import { closeUp, enterQueue, leaveQueue, NO_ROOM } from "../../core/dial/pool_queue.ts";
import { Choice, type Chosen, NO_ROW, type Tried } from "../../core/pick/choice.ts";
import { countTunnel, endTunnel, pick, release } from "../../core/pick/pick_kernels.ts";
import type { PickTable } from "../../core/pick/pick_table.ts";
import { Source } from "../../core/pick/source.ts";
import { ProxyHeaderWriter } from "../../core/proxy_protocol/header_writer.ts";
import type { Clock, Random } from "../../core/timing/clock.ts";
import type { Address } from "../../core/values/address.ts";
import { classify, messageOf } from "../../core/values/errors.ts";
import type { EngineEvent, PoolPlan, RefusalReason } from "../engine.ts";
import type { EventQueue } from "../event_queue.ts";
import { NO_PICK, type PickStore } from "../pick_store.ts";
import { connect } from "./connect.ts";
import type { DescriptorWaits } from "./descriptor_waits.ts";
import { Queues } from "./queues.ts";

const NOTHING_CHOSEN = new Choice();
const NOTHING = new Uint8Array();

/** A client on its way to a backend, or with a tunnel. */
export class Client implements Dial {
  row = NO_ROW;
  /** When the place in the row was taken, as `release` wants to know it. */
  step = 0;
  address = 0;
  attempts = 0;
  startedMs = 0;
  /** In the queue of its plan's table. */
  ticket = NO_ROOM;
  queuedMs = 0;
  tried: Tried | null = null;
  /** Of the last pick that gave a row. */
  choice: Chosen = NOTHING_CHOSEN;
  /** The place of the last pick for it. */
  lastPick = NO_PICK;
  /** Why the last attempt failed. */
  error: unknown;
  /** Whether it has a place in the count of its address. */
  hasSourcePlace = false;

  /**
   * @param number by what queues know it.
   * @param reached the address that it reached.
   * @param plan what it goes by; undefined: its pool has none.
   */
  constructor(
    readonly number: number,
    readonly frontend: string,
    public from: Address,
    public reached: Address,
    public pool: string,
    public plan: PoolPlan | undefined,
  ) {}

  get isQueued(): boolean {
    return this.ticket !== NO_ROOM;
  }

  /** The backend in which it has a place. */
  get backend(): string {
    return this.plan?.endpoints[this.row]?.backend ?? "";
  }
}

export interface DialerParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly picks: PickStore;
  readonly events: EventQueue<EngineEvent>;
  readonly waits: DescriptorWaits;
  /** Aborted when searches must end. */
  readonly cutting: AbortSignal;
  /** Gives the client the plan that it would have if it came now. @returns whether that is another one. */
  renew(client: Client): boolean;
  /** A client waits for a descriptor. */
  outOfDescriptors(frontend: string, message: string): void;
}

export class Dialer implements DialDriver<Client> {
  readonly #parts: DialerParts;
  readonly #policy: DialPolicy<Client>;
  readonly #queues: Queues<Client>;
  readonly #source = new Source();
  readonly #header = new ProxyHeaderWriter();
  /** Since start, those that were the backends' own fault. */
  failures = 0;

  constructor(parts: DialerParts) {
    this.#parts = parts;
    const policy = this.#policy = new DialPolicy(this, parts.random);
    const now = () => parts.clock.now();
    const search = {
      look: (client: Client) => policy.look(client, now()),
      replan: (client: Client) => policy.replan(client, now()),
      queueOver: (client: Client) => policy.queueOver(client, now()),
      queueEndMs: (client: Client) => policy.queueEndMs(client),
      left: (client: Client) => policy.left(client, now()),
      closeUp: (client: Client) => this.#closeUp(client),
    };
    this.#queues = new Queues(search, QUEUE, now);
    parts.cutting.addEventListener("abort", () => this.#queues.end());
  }

  /** Plans may have changed for those who wait in queues. */
  replan(): void {
    this.#queues.replan();
  }

  /**
   * Connects a client to a backend; its place in the table stays reserved.
   * @param from the client's connection, of which nothing is read.
   */
  async dial(client: Client, from: Deno.Conn): Promise<Deno.Conn | RefusalReason> {
    const { clock, cutting, waits } = this.#parts;
    const policy = this.#policy;
    let action = policy.begin(client, clock.now());
    let waited = false;
    try {
      while (action === CONNECT || action === WAIT || action === QUEUE) {
        if (action === QUEUE) {
          if (!cutting.aborted) action = await this.#queues.wait(client, from);
          if (cutting.aborted) break;
          continue;
        }
        try {
          if (action === WAIT) await clock.sleep(WAIT_MS, cutting);
          const triedMs = clock.now();
          const timeoutMs = policy.timeoutMs(client);
          const header = this.#headerOf(client);
          const conn = await connect(clock, addressOf(client), timeoutMs, cutting, header);
          policy.connecting(client, waited, triedMs);
          action = policy.connected(client);
          countTunnel(this.#table(client), client.row, this.#sourceOf(client));
          return conn;
        } catch (error) {
          if (cutting.aborted) break;
          client.error = error;
          const cause = causeOf(error);
          action = policy.failed(client, cause, clock.now());
          const waitsNow = action === WAIT && cause === BY_SHORTAGE;
          if (waitsNow && !waited) this.#beginWait(client);
          if (waited && !waitsNow) waits.end();
          waited = waitsNow;
        }
      }
    } finally {
      if (waited) waits.end();
    }
    const refusal = cutting.aborted ? policy.giveUp(client, clock.now()) : action;
    return REFUSALS[refusal] ?? "connect_failed";
  }

  /** A client's tunnel has ended. */
  end(client: Client): void {
    endTunnel(this.#table(client), client.row, this.#sourceOf(client), client.step);
  }

  reserve(
    client: Client,
    table: PickTable,
    random: number,
    choice: Choice,
    patienceMs: number,
  ): number {
    const source = this.#sourceOf(client);
    client.row = pick(table, client.tried, random, choice, source, patienceMs);
    client.step = choice.step;
    return client.row;
  }

  release(client: Client, table: PickTable): void {
    if (client.row === NO_ROW) return;
    release(table, client.row, client.step);
    client.row = NO_ROW;
  }

  enter(client: Client, table: PickTable, max: number): boolean {
    client.ticket = enterQueue(table, client.number, max);
    return client.isQueued;
  }

  leave(client: Client, table: PickTable): void {
    leaveQueue(table, client.ticket);
    client.ticket = NO_ROOM;
  }

  picked(client: Client, choice: Choice, snapshot: Int32Array): void {
    const { picks, clock } = this.#parts;
    const endpoints = client.plan?.endpoints ?? [];
    client.choice = { ...choice };
    client.lastPick = picks.put(snapshot, 0, endpoints, clock.wall(), client.lastPick);
  }

  failed(client: Client, isCounted: boolean): void {
    if (isCounted) this.failures++;
    const failure = classify(client.error);
    this.#parts.picks.failed(client.lastPick, failure);
    const { frontend, pool, row, backend, from } = client;
    this.#parts.events.push({
      kind: "connect_failed",
      frontend,
      pool,
      row,
      backend,
      client: from,
      atMs: this.#parts.clock.wall(),
      failure,
      message: messageOf(client.error),
    });
  }

  #closeUp(client: Client): void {
    if (client.isQueued) client.ticket = closeUp(this.#table(client), client.ticket);
  }

  renew(client: Client): boolean {
    const before = client.plan;
    if (!this.#parts.renew(client)) return false;
    if (client.isQueued && before !== undefined && before.table.id !== client.plan?.table.id) {
      this.leave(client, before.table);
    }
    return true;
  }

  /** What the backend is sent first. */
  #headerOf({ plan, from, reached }: Client): Uint8Array {
    const { source, destination, bytes } = this.#header;
    if (plan?.sendProxy === undefined) return NOTHING;
    source.setAddress(from);
    destination.setAddress(reached);
    return bytes.slice(0, this.#header.write(plan.sendProxy));
  }

  #beginWait(client: Client): void {
    this.#parts.waits.begin();
    this.#parts.outOfDescriptors(client.frontend, messageOf(client.error));
  }

  #table({ plan }: Client): PickTable {
    if (plan === undefined) throw new Error("Cannot find the table of a client without a plan");
    return plan.table;
  }

  #sourceOf({ from }: Client): Source {
    this.#source.setAddress(from);
    return this.#source;
  }
}

const REFUSALS: Readonly<Record<number, RefusalReason>> = {
  [NO_BACKEND]: "no_backend",
  [OUT_OF_DESCRIPTORS]: "out_of_descriptors",
  [QUEUE_FULL]: "queue_full",
  [QUEUE_TIMEOUT]: "queue_timeout",
  [CLIENT_LEFT]: "client_left",
  [STARVED]: "starved",
};

/** The address that the policy says to connect to; undefined: the backend's name does not resolve. */
function addressOf({ plan, row, address }: Client): Address | undefined {
  return plan?.endpoints[row]?.addresses[address];
}

function causeOf(error: unknown): number {
  if (error instanceof Deno.errors.WouldBlock) return BY_BACKLOG;
  switch (classify(error)) {
    case "out_of_descriptors":
      return BY_SHORTAGE;
    case "address_not_available":
      return BY_LOCAL_ADDRESS;
    default:
      return BY_BACKEND;
  }
}
