// The portable engine: Deno.listen, one pair of pumps per tunnel. Runs wherever Deno runs.

import { closeQuietly } from "../../core/serving/accept_loop.ts";
import type { Address } from "../../core/values/address.ts";
import type { Clock, Random } from "../../core/timing/clock.ts";
import type { FailureKind } from "../../core/values/errors.ts";
import type { PickTable } from "../../core/pick/pick_table.ts";
import { isNews } from "../../core/timing/throttled_condition.ts";
import type {
  EndReason,
  Engine,
  EngineCounters,
  EngineEvent,
  EngineListener,
  Frontend,
  PoolPlan,
  RefusalReason,
  Session,
} from "../engine.ts";
import { EventQueue } from "../event_queue.ts";
import { PickStore } from "../pick_store.ts";
import { Admission, beginsWithHeader } from "./admission.ts";
import { Client, Dialer } from "./dialer.ts";
import { Frontends, type FrontendState } from "./frontends.ts";
import { readHeader } from "./header_reader.ts";
import { Lingering } from "./lingering.ts";
import { Listeners } from "./listeners.ts";
import { BufferPool, Relay } from "./relay.ts";
import { addressOf, clientOf, openedEvent, type Tunnel, tunnelOf } from "./tunnel_events.ts";
import { UrgentMarks } from "./urgent_marks.ts";
import { DescriptorWaits } from "./descriptor_waits.ts";

export interface PortableEngineOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** What a busy direction reads at once, in bytes. */
  readonly bufferBytes: number;
}

/** How often idle tunnels are looked for. */
const TICK_MS = 250;
/** A tick that comes later than this says that the process was stopped, or too busy to read. */
const MOST_TICK_MS = 2 * TICK_MS;

const NOTHING = new Uint8Array();
/** More than there can be clients at a time: they come round again. */
const CLIENT_NUMBERS = 1 << 30;

/** A tunnel that stands. */
interface Standing {
  readonly state: FrontendState;
  readonly tunnel: Tunnel;
  readonly openedAtMs: number;
}

export class PortableEngine implements Engine {
  readonly name = "portable";
  readonly workers = 0;
  readonly #options: PortableEngineOptions;
  readonly #listeners: Listeners;
  readonly #frontends = new Frontends();
  #plans = new Map<string, PoolPlan>();
  readonly #events = new EventQueue<EngineEvent>();
  readonly #buffers: BufferPool;
  readonly #relays = new Map<Relay, Standing>();
  readonly #serving = new Set<Promise<void>>();
  /** Clients on their way or with a tunnel. */
  readonly #clients = new Set<Client>();
  readonly #lingering = new Lingering();
  readonly #descriptorWaits = new DescriptorWaits();
  /** What is remembered of a lack of descriptors, so that it is said once (core/timing/throttled_condition.ts). */
  readonly #condition = new Int32Array(1);
  readonly #picks = new PickStore();
  readonly #dialer: Dialer;
  readonly #admission = new Admission();
  readonly #now: () => number;
  #tickedMs: number;
  readonly #ticker: ReturnType<typeof setInterval>;
  readonly #urgentMarks = UrgentMarks.open();
  #nextTunnel = 1;
  #nextClient = 0;
  /** Starts run one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Aborted when what stands, and what is on its way, must end. */
  readonly #cutting = new AbortController();
  #accepted = 0;
  #opened = 0;
  #refused = 0;
  #bytesToBackend = 0;
  #bytesToClient = 0;

  constructor(options: PortableEngineOptions) {
    this.#options = options;
    this.#buffers = new BufferPool(options.bufferBytes);
    this.#now = () => options.clock.now();
    this.#tickedMs = this.#now();
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#dialer = new Dialer({
      clock: options.clock,
      random: options.random,
      picks: this.#picks,
      events: this.#events,
      waits: this.#descriptorWaits,
      cutting: this.#cutting.signal,
      renew: (client) => this.#renew(client),
      outOfDescriptors: (frontend, message) => {
        this.#lingering.giveWay();
        if (!isNews(this.#condition, 0, this.#now())) return;
        this.#acceptFailed(frontend, "out_of_descriptors", message);
      },
    });
    this.#listeners = new Listeners(
      {
        accepted: (frontend, conn) => this.#accept(frontend, conn),
        failed: (frontend, failure, message) => {
          this.#lingering.giveWay();
          this.#acceptFailed(frontend, failure, message);
        },
      },
      options.clock,
      this.#condition,
    );
  }

  start(
    frontends: readonly Frontend[],
    atSwitch: () => void = () => {},
    beforeAccept: () => Promise<readonly Frontend[]> = () => Promise.resolve(frontends),
  ): Promise<ReadonlyMap<string, readonly Address[]>> {
    const started = this.#turn.then(() => this.#start(frontends, atSwitch, beforeAccept));
    this.#turn = started.catch(() => {});
    return started;
  }

  async #start(
    frontends: readonly Frontend[],
    atSwitch: () => void,
    beforeAccept: () => Promise<readonly Frontend[]>,
  ): Promise<ReadonlyMap<string, readonly Address[]>> {
    const bound = await this.#listeners.replace(frontends, beforeAccept, (settled) => {
      // The last clients of frontends that go are still to be accepted: they keep the plans of before.
      const plans = this.#plans = new Map(this.#plans);
      atSwitch();
      this.#frontends.open(settled, plans);
      for (const client of this.#clients) {
        const state = this.#frontends.get(client.frontend);
        if (state !== undefined) this.#admission.hold(state, client);
      }
    });
    this.#frontends.forgetClosed();
    this.#dialer.replan();
    return bound;
  }

  publish(pool: string, plan: PoolPlan): void {
    this.#plans.set(pool, plan);
  }

  withdraw(pool: string): void {
    this.#plans.delete(pool);
  }

  uses(table: PickTable): boolean {
    const holds = (plans: ReadonlyMap<string, PoolPlan>) =>
      plans.values().some((plan) => plan.table === table);
    return holds(this.#plans) || this.#frontends.all.values().some(({ plans }) => holds(plans)) ||
      this.#clients.values().some(({ plan }) => plan?.table === table);
  }

  counters(): EngineCounters {
    return {
      accepted: this.#accepted,
      opened: this.#opened,
      active: this.#relays.size,
      refused: this.#refused,
      connectFailures: this.#dialer.failures,
      bytesToBackend: this.#bytesToBackend,
      bytesToClient: this.#bytesToClient,
      eventsDropped: this.#events.dropped,
      activeByFrontend: new Map(
        [...this.#frontends.all].map(([name, state]) => [name, state.active]),
      ),
    };
  }

  sessions(): readonly Session[] {
    const now = this.#now();
    return [...this.#relays].map(([relay, { tunnel: of, openedAtMs }]) => ({
      tunnel: of.tunnel,
      frontend: of.frontend,
      pool: of.pool,
      backend: of.backend,
      client: of.client,
      outgoing: of.outgoing,
      openedAtMs,
      idleMs: Math.round(now - relay.lastActivity),
      bytesToBackend: relay.bytesToBackend,
      bytesToClient: relay.bytesToClient,
    }));
  }

  end(tunnels: readonly number[], reason: EndReason): void {
    const ending = new Set(tunnels);
    for (const [relay, { tunnel: of }] of this.#relays) {
      if (ending.has(of.tunnel)) relay.cut(reason);
    }
  }

  async deliver(listener: EngineListener): Promise<void> {
    for await (const event of this.#events) listener(event, this.#options.clock.now());
  }

  async drain(signal: AbortSignal): Promise<void> {
    await this.start([]);
    const cut = () => {
      this.#cutting.abort();
      for (const relay of this.#relays.keys()) relay.cut("shutdown");
    };
    if (signal.aborted) cut();
    signal.addEventListener("abort", cut);
    while (this.#serving.size > 0) await Promise.all(this.#serving);
    signal.removeEventListener("abort", cut);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(AbortSignal.abort());
    await this.#lingering[Symbol.asyncDispose]();
    clearInterval(this.#ticker);
    this.#urgentMarks?.close();
    this.#events.end();
  }

  /** For records. */
  #wall(): number {
    return this.#options.clock.wall();
  }

  #tick(): void {
    const now = this.#now();
    const stoodStill = now - this.#tickedMs > MOST_TICK_MS;
    this.#tickedMs = now;
    if (this.#relays.size > 0) this.#urgentMarks?.wakeSome();
    // What has come meanwhile is read first.
    if (stoodStill) return;
    for (const [relay, { state }] of this.#relays) {
      const { idleTimeoutMs } = state.settings;
      if (idleTimeoutMs > 0 && now - relay.lastActivity >= idleTimeoutMs) relay.cut("idle_timeout");
    }
  }

  /** @returns what the next client of this listener has to wait for, if anything. */
  #accept(name: string, conn: Deno.Conn): Promise<void> | undefined {
    this.#accepted++;
    const state = this.#frontends.get(name);
    if (state !== undefined) return this.#enter(state, conn);
    closeQuietly(conn);
    return undefined;
  }

  /** The same, for a client who may have waited for a place. */
  #enter(state: FrontendState, conn: Deno.Conn): Promise<void> | undefined {
    const { settings } = state;
    const from = clientOf(conn.remoteAddr);
    const pool = state.poolOf(from);
    const reached = addressOf(conn.localAddr);
    this.#nextClient = (this.#nextClient + 1) % CLIENT_NUMBERS;
    const plan = state.plans.get(pool);
    const client = new Client(this.#nextClient, settings.name, from, reached, pool, plan);
    const reason = this.#admission.objection(state, client, this.#now());
    if (reason === "frontend_full" && state.isWaitedFor) {
      return this.#enterLater(state, conn);
    }
    if (reason === undefined) this.#begin(state, client, conn);
    else this.#refuse(conn, client, reason);
    return state.isWaitedFor ? state.room() : this.#descriptorWaits.over;
  }

  /** Another of the frontend's sockets had this client accepted before the frontend was full. */
  #enterLater(state: FrontendState, conn: Deno.Conn): Promise<void> {
    const entered = state.room().then(() => this.#enter(state, conn))
      .finally(() => this.#serving.delete(entered));
    this.#serving.add(entered);
    return entered;
  }

  #begin(state: FrontendState, client: Client, conn: Deno.Conn): void {
    state.active++;
    const served = this.#serve(state, client, conn).finally(() => {
      this.#clients.delete(client);
      this.#admission.leave(state, client);
      state.active--;
      state.stir();
      this.#serving.delete(served);
    });
    this.#serving.add(served);
  }

  async #serve(state: FrontendState, client: Client, conn: Deno.Conn): Promise<void> {
    const acceptedMs = this.#now();
    let rest = NOTHING;
    if (beginsWithHeader(state.settings, client.from)) {
      const header = await this.#readHeader(state, client, conn);
      if (header === undefined) return;
      rest = header;
    }
    this.#clients.add(client);
    const dialled = await this.#dialer.dial(client, conn);
    if (typeof dialled === "string") {
      this.#refuse(conn, client, dialled);
      return;
    }
    const connectMs = Math.round(this.#now() - client.startedMs);
    const relay = new Relay(conn, dialled, this.#buffers, this.#now);
    const tunnel = tunnelOf(this.#nextTunnel++, client, addressOf(dialled.localAddr));
    const openedAtMs = this.#wall();
    this.#relays.set(relay, { state, tunnel, openedAtMs });
    if (this.#cutting.signal.aborted) relay.cut("shutdown");
    this.#opened++;
    this.#events.push(
      openedEvent(tunnel, client, dialled, connectMs, openedAtMs, this.#picks),
    );
    const reason = await relay.run(rest);
    this.#relays.delete(relay);
    this.#dialer.end(client);
    const { bytesToBackend, bytesToClient } = relay;
    this.#bytesToBackend += bytesToBackend;
    this.#bytesToClient += bytesToClient;
    this.#events.push({
      kind: "closed",
      ...tunnel,
      atMs: this.#wall(),
      bytesToBackend,
      bytesToClient,
      durationMs: Math.round(this.#now() - acceptedMs),
      reason,
    });
  }

  /**
   * Has the client be who its PROXY header says, and refuses it where that one may not come in, or the
   * header is bad.
   * @returns what came behind the header; undefined when the client is refused.
   */
  async #readHeader(
    state: FrontendState,
    client: Client,
    conn: Deno.Conn,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { signal } = this.#cutting;
    const header = await readHeader(conn, this.#options.clock, signal);
    if (header === undefined) {
      this.#refuse(conn, client, signal.aborted ? "no_backend" : "bad_proxy_header");
      return undefined;
    }
    client.from = header.told?.source ?? client.from;
    client.reached = header.told?.destination ?? client.reached;
    // A reload may have come meanwhile.
    client.pool = state.poolOf(client.from);
    client.plan = state.plans.get(client.pool);
    const reason = this.#admission.objectionBehindProxy(state, client, this.#now());
    if (reason === undefined) return header.rest;
    this.#refuse(conn, client, reason);
    return undefined;
  }

  #acceptFailed(frontend: string, failure: FailureKind, message: string): void {
    this.#events.push({ kind: "accept_failed", frontend, failure, message, atMs: this.#wall() });
  }

  /** Gives a client that has no backend the plan by which it would go if it came in now. */
  #renew(client: Client): boolean {
    const state = this.#frontends.get(client.frontend);
    if (state === undefined) return false;
    const pool = state.poolOf(client.from);
    const plan = state.plans.get(pool);
    if (plan === undefined || plan === client.plan) return false;
    client.pool = pool;
    client.plan = plan;
    return true;
  }

  #refuse(
    conn: Deno.Conn,
    { frontend, pool, from, attempts, lastPick, queuedMs }: Client,
    reason: RefusalReason,
  ): void {
    const isShort = this.#descriptorWaits.over !== undefined;
    const text = this.#frontends.get(frontend)?.settings.refusalText?.get(reason);
    this.#lingering.seeOff(conn, isShort ? undefined : text);
    this.#refused++;
    const store = this.#picks;
    this.#events.push({
      kind: "refused",
      frontend,
      pool,
      client: from,
      attempts,
      queueMs: Math.round(queuedMs),
      lastPick,
      store,
      atMs: this.#wall(),
      reason,
    });
  }
}
