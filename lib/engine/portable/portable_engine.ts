// The portable engine: Deno.listen, one pair of pumps per tunnel. Runs wherever Deno runs.

import { closeQuietly } from "../../core/serving/accept_loop.ts";
import { type Address, formatAddress, unmapHost } from "../../core/values/address.ts";
import type { Clock, Random } from "../../core/timing/clock.ts";
import { drawWord, SNAPSHOT_WORDS, takeSnapshot } from "../../core/pick/decision_snapshot.ts";
import { classify, type FailureKind, messageOf, OUR_FAULT } from "../../core/values/errors.ts";
import type { LineBytes } from "../../core/values/line_bytes.ts";
import type { Chosen } from "../../core/pick/choice.ts";
import {
  Choice,
  countTunnel,
  endTunnel,
  pick,
  release,
  Tried,
} from "../../core/pick/pick_kernels.ts";
import { CONNECT_FAILURES, type PickTable } from "../../core/pick/pick_table.ts";
import { Source } from "../../core/pick/source.ts";
import { isNews } from "../../core/timing/throttled_condition.ts";
import type {
  Engine,
  EngineCounters,
  EngineEvent,
  Frontend,
  PoolPlan,
  RefusalReason,
} from "../engine.ts";
import { EventQueue } from "../event_queue.ts";
import { NO_PICK, PickStore } from "../pick_store.ts";
import { connect } from "./connect.ts";
import { Listeners } from "./listeners.ts";
import { BufferPool, Relay } from "./relay.ts";
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

const NO_PLANS: ReadonlyMap<string, PoolPlan> = new Map();

/** A client on its way to a backend. */
interface PendingClient {
  readonly frontend: string;
  /** What it goes by: its frontend's pools and plans at one instant. */
  plan: PoolPlan | undefined;
  /** Another where a reload has sent the client elsewhere. */
  pool: string;
  readonly client: Address;
  attempts: number;
  /** The place of the last pick for it. */
  lastPick: number;
}

/** A backend that has taken the connection. */
interface Place {
  readonly row: number;
  /** When the place was taken, as `release` wants to know it. */
  readonly step: number;
  readonly table: PickTable;
  readonly backend: string;
  readonly conn: Deno.Conn;
  readonly connectMs: number;
  readonly choice: Chosen;
  readonly endpoints: PoolPlan["endpoints"];
}

/** What lives as long as tunnels of a frontend's name do. */
interface FrontendState {
  settings: Frontend;
  /** By pool: the plans of the configuration that the settings are from. */
  plans: ReadonlyMap<string, PoolPlan>;
  /** Clients accepted and not yet done with, tunnel or not. */
  active: number;
}

export class PortableEngine implements Engine {
  readonly name = "portable";
  readonly #options: PortableEngineOptions;
  readonly #listeners: Listeners;
  readonly #frontends = new Map<string, FrontendState>();
  #plans = new Map<string, PoolPlan>();
  readonly #events = new EventQueue<EngineEvent>();
  readonly #buffers: BufferPool;
  readonly #relays = new Map<Relay, FrontendState>();
  readonly #serving = new Set<Promise<void>>();
  /** Clients on their way or with a tunnel. */
  readonly #pendingClients = new Set<PendingClient>();
  readonly #descriptorWaits = new DescriptorWaits();
  /** What is remembered of a lack of descriptors, so that it is said once (core/timing/throttled_condition.ts). */
  readonly #condition = new Int32Array(1);
  readonly #choice = new Choice();
  readonly #snapshot = new Int32Array(SNAPSHOT_WORDS);
  readonly #source = new Source();
  readonly #picks = new PickStore();
  readonly #now: () => number;
  #tickedMs: number;
  readonly #ticker: ReturnType<typeof setInterval>;
  readonly #urgentMarks = UrgentMarks.open();
  #nextTunnel = 1;
  /** Starts run one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Aborted when what stands, and what is on its way, must end. */
  readonly #cutting = new AbortController();
  #accepted = 0;
  #opened = 0;
  #refused = 0;
  #connectFailures = 0;
  #bytesToBackend = 0;
  #bytesToClient = 0;

  constructor(options: PortableEngineOptions) {
    this.#options = options;
    this.#buffers = new BufferPool(options.bufferBytes);
    this.#now = () => options.clock.now();
    this.#tickedMs = this.#now();
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#listeners = new Listeners(
      {
        accepted: (frontend, conn) => {
          this.#accept(frontend, conn);
          return this.#descriptorWaits.over;
        },
        failed: (frontend, failure, message) => this.#acceptFailed(frontend, failure, message),
      },
      options.clock,
      this.#condition,
    );
  }

  start(
    frontends: readonly Frontend[],
    atSwitch: () => void = () => {},
  ): Promise<ReadonlyMap<string, readonly Address[]>> {
    const started = this.#turn.then(() => this.#start(frontends, atSwitch));
    this.#turn = started.catch(() => {});
    return started;
  }

  async #start(
    frontends: readonly Frontend[],
    atSwitch: () => void,
  ): Promise<ReadonlyMap<string, readonly Address[]>> {
    const bound = await this.#listeners.replace(frontends, () => {
      // The last clients of frontends that go are still to be accepted: they keep the plans of before.
      const plans = this.#plans = new Map(this.#plans);
      atSwitch();
      for (const settings of frontends) {
        const state = this.#frontends.get(settings.name);
        if (state === undefined) {
          this.#frontends.set(settings.name, { settings, plans, active: 0 });
        } else Object.assign(state, { settings, plans });
      }
    });
    // Only now are the last clients of those that are gone accepted.
    for (const [name, state] of this.#frontends) {
      const named = frontends.some((frontend) => frontend.name === name);
      if (!named && state.active === 0) this.#frontends.delete(name);
      else if (!named) state.plans = NO_PLANS;
    }
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
    return holds(this.#plans) || this.#frontends.values().some(({ plans }) => holds(plans)) ||
      this.#pendingClients.values().some(({ plan }) => plan?.table === table);
  }

  counters(): EngineCounters {
    return {
      accepted: this.#accepted,
      opened: this.#opened,
      active: this.#relays.size,
      refused: this.#refused,
      connectFailures: this.#connectFailures,
      bytesToBackend: this.#bytesToBackend,
      bytesToClient: this.#bytesToClient,
      eventsDropped: this.#events.dropped,
      activeByFrontend: new Map([...this.#frontends].map(([name, state]) => [name, state.active])),
    };
  }

  async deliver(listener: (event: EngineEvent) => void): Promise<void> {
    for await (const event of this.#events) listener(event);
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
    for (const [relay, { settings }] of this.#relays) {
      const { idleTimeoutMs } = settings;
      if (idleTimeoutMs > 0 && now - relay.lastActivity >= idleTimeoutMs) relay.cut("idle_timeout");
    }
  }

  #accept(name: string, client: Deno.Conn): void {
    this.#accepted++;
    const state = this.#frontends.get(name);
    if (state === undefined) return closeQuietly(client);
    const { maxConnections } = state.settings;
    const address = clientOf(client.remoteAddr);
    const pool = poolOf(state.settings, address);
    const plan = state.plans.get(pool);
    const pending: PendingClient = {
      frontend: name,
      pool,
      plan,
      client: address,
      attempts: 0,
      lastPick: NO_PICK,
    };
    if (maxConnections > 0 && state.active >= maxConnections) {
      this.#refuse(client, pending, "frontend_full");
      return;
    }
    state.active++;
    this.#pendingClients.add(pending);
    const served = this.#serve(state, pending, client).finally(() => {
      this.#pendingClients.delete(pending);
      state.active--;
      this.#serving.delete(served);
    });
    this.#serving.add(served);
  }

  async #serve(state: FrontendState, pending: PendingClient, client: Deno.Conn): Promise<void> {
    const acceptedMs = this.#now();
    const place = await this.#findPlace(pending);
    const { frontend, pool, client: address } = pending;
    if (typeof place === "string") {
      this.#refuse(client, pending, place);
      return;
    }
    const relay = new Relay(client, place.conn, this.#buffers, this.#now);
    this.#relays.set(relay, state);
    if (this.#cutting.signal.aborted) relay.cut("shutdown");
    this.#opened++;
    const outgoing = addressOf(place.conn.localAddr);
    const common = {
      tunnel: this.#nextTunnel++,
      frontend,
      pool,
      row: place.row,
      backend: place.backend,
      client: address,
      putClient: (line: LineBytes) => line.text(formatAddress(address)),
      outgoing,
      putOutgoing: (line: LineBytes) => line.text(formatAddress(outgoing)),
    };
    const store = this.#picks;
    const { choice, endpoints } = place;
    const { lastPick } = pending;
    this.#events.push({
      kind: "opened",
      ...common,
      atMs: this.#wall(),
      local: addressOf(client.localAddr),
      backendAddress: addressOf(place.conn.remoteAddr),
      attempts: pending.attempts,
      connectMs: place.connectMs,
      choice,
      endpoints,
      lastPick,
      store,
    });
    const reason = await relay.run();
    this.#relays.delete(relay);
    this.#source.setAddress(address);
    endTunnel(place.table, place.row, this.#source, place.step);
    const { bytesToBackend, bytesToClient } = relay;
    this.#bytesToBackend += bytesToBackend;
    this.#bytesToClient += bytesToClient;
    this.#events.push({
      kind: "closed",
      ...common,
      atMs: this.#wall(),
      bytesToBackend,
      bytesToClient,
      durationMs: Math.round(this.#now() - acceptedMs),
      reason,
    });
  }

  /**
   * Picks and connects until a backend takes the connection; its place in the table stays reserved.
   * @returns the place, or why there is none.
   */
  async #findPlace(pending: PendingClient): Promise<Place | RefusalReason> {
    const { plan } = pending;
    if (plan === undefined) return "no_backend";
    const { table, endpoints } = plan;
    let tried: Tried | null = null;
    while (!this.#cutting.signal.aborted && !tried?.full) {
      if (pending.attempts > plan.connectRetries) break;
      this.#source.setAddress(pending.client);
      const random = this.#options.random();
      const row = pick(table, tried, random, this.#choice, this.#source);
      const { step } = this.#choice;
      const pickPlace = this.#remember(plan, tried, random, pending.lastPick);
      if (row < 0) {
        pending.lastPick = pickPlace;
        if (this.#beginsAnew(pending)) return await this.#findPlace(pending);
        break;
      }
      tried ??= new Tried();
      tried.add(row);
      const endpoint = endpoints[row];
      if (endpoint === undefined) {
        // It joined after the client came.
        release(table, row, step);
        continue;
      }
      pending.lastPick = pickPlace;
      const choice = { ...this.#choice };
      const { backend } = endpoint;
      pending.attempts++;
      const startedMs = this.#now();
      try {
        const conn = await connect(
          endpoint.addresses,
          plan.connectTimeoutMs,
          this.#cutting.signal,
          this.#options.clock,
          {
            begin: (error) => this.#beginsDescriptorWait(pending.frontend, error),
            end: () => this.#descriptorWaits.end(),
          },
        );
        this.#source.setAddress(pending.client);
        countTunnel(table, row, this.#source);
        const connectMs = Math.round(this.#now() - startedMs);
        return { row, step, table, backend, conn, connectMs, choice, endpoints };
      } catch (error) {
        release(table, row, step);
        const failure = classify(error);
        if (failure === "aborted") break;
        this.#picks.failed(pickPlace, failure);
        if (!OUR_FAULT.has(failure)) {
          table.add(row, CONNECT_FAILURES, 1);
          this.#connectFailures++;
        }
        this.#connectFailed(pending, row, backend, failure, messageOf(error));
        // Our own lack of descriptors is not cured by asking elsewhere.
        if (failure === "out_of_descriptors") return failure;
      }
    }
    return pending.attempts === 0 ? "no_backend" : "connect_failed";
  }

  /** A client waits for a descriptor. */
  #beginsDescriptorWait(frontend: string, error: unknown): void {
    this.#descriptorWaits.begin();
    if (!isNews(this.#condition, 0, this.#now())) return;
    this.#acceptFailed(frontend, "out_of_descriptors", messageOf(error));
  }

  #acceptFailed(frontend: string, failure: FailureKind, message: string): void {
    this.#events.push({ kind: "accept_failed", frontend, failure, message, atMs: this.#wall() });
  }

  /** Lets a client look by another plan, if a reload has made it so. */
  #beginsAnew(pending: PendingClient): boolean {
    const state = this.#frontends.get(pending.frontend);
    if (state === undefined) return false;
    const pool = poolOf(state.settings, pending.client);
    const plan = state.plans.get(pool);
    if (plan === undefined || plan === pending.plan) return false;
    Object.assign(pending, { pool, plan, attempts: 0 });
    return true;
  }

  /** Keeps what the pick that was just made saw. @returns its place. */
  #remember(
    { table, endpoints }: PoolPlan,
    tried: Tried | null,
    random: number,
    previous: number,
  ): number {
    takeSnapshot(table, tried, this.#choice, drawWord(random), this.#snapshot);
    return this.#picks.put(this.#snapshot, 0, endpoints, this.#wall(), previous);
  }

  #connectFailed(
    { frontend, pool, client }: PendingClient,
    row: number,
    backend: string,
    failure: FailureKind,
    message: string,
  ): void {
    const atMs = this.#wall();
    const where = { frontend, pool, row, backend, client, atMs };
    this.#events.push({ kind: "connect_failed", ...where, failure, message });
  }

  #refuse(
    conn: Deno.Conn,
    pending: PendingClient,
    reason: RefusalReason,
  ): void {
    closeQuietly(conn);
    this.#refused++;
    const { plan: _, ...client } = pending;
    this.#events.push({
      kind: "refused",
      ...client,
      store: this.#picks,
      atMs: this.#wall(),
      reason,
    });
  }
}

/** The pool that a client goes to. */
function poolOf({ pool, location }: Frontend, client: Address): string {
  if (location === undefined || client.transport === "unix") return pool;
  return location.pools[location.table.findHost(client.host)] ?? pool;
}

/** A client's address. The name that one may give its end of a unix socket says nothing, and is left out. */
function clientOf(address: Deno.Addr): Address {
  const client = addressOf(address);
  return client.transport === "tcp" ? client : { transport: "unix", path: "" };
}

/** An address as Deno gives it, in our words. */
function addressOf(address: Deno.Addr): Address {
  if (address.transport === "tcp" || address.transport === "udp") {
    return { transport: "tcp", host: unmapHost(address.hostname), port: address.port };
  }
  return { transport: "unix", path: "path" in address ? address.path ?? "" : "" };
}
