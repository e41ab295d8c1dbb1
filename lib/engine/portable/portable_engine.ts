// The portable engine: Deno.listen, one pair of pumps per tunnel. Runs wherever Deno runs.

import { closeQuietly } from "../../core/accept_loop.ts";
import { type Address, unmapHost } from "../../core/address.ts";
import type { Clock, Random } from "../../core/clock.ts";
import { drawWord, SNAPSHOT_WORDS, takeSnapshot } from "../../core/decision_snapshot.ts";
import { classify, type FailureKind, messageOf } from "../../core/errors.ts";
import { Choice, countTunnel, endTunnel, pick, release, Tried } from "../../core/pick_kernels.ts";
import { CONNECT_FAILURES, type PickTable } from "../../core/pick_table.ts";
import { Source } from "../../core/source_hash.ts";
import { describeChoice } from "../decision.ts";
import type {
  Decision,
  Engine,
  EngineCounters,
  EngineEvent,
  Frontend,
  PoolPlan,
  RefusalReason,
} from "../engine.ts";
import { EventQueue } from "../event_queue.ts";
import { SnapshotStore, StoredTrace } from "../pick_trace.ts";
import { connect } from "./connect.ts";
import { Listeners } from "./listeners.ts";
import { BufferPool, Relay } from "./relay.ts";

export interface PortableEngineOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** What a busy direction reads at once, in bytes. */
  readonly bufferBytes: number;
}

/** How often the shared tick advances and idle tunnels are looked for. */
const TICK_MS = 250;
/** A tick that comes later than this says that the process was stopped, or too busy to read. */
const MOST_TICK_MS = 2 * TICK_MS;

/** A client on its way to a backend. */
interface Visitor {
  readonly frontend: string;
  readonly pool: string;
  readonly client: Address;
  attempts: number;
  readonly picks: StoredTrace[];
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
  readonly decision: Decision;
}

/** What lives as long as tunnels of a frontend's name do. */
interface FrontendState {
  settings: Frontend;
  /** Clients accepted and not yet done with, tunnel or not. */
  active: number;
}

export class PortableEngine implements Engine {
  readonly name = "portable";
  readonly #options: PortableEngineOptions;
  readonly #listeners: Listeners;
  readonly #frontends = new Map<string, FrontendState>();
  readonly #plans = new Map<string, PoolPlan>();
  readonly #events = new EventQueue<EngineEvent>();
  readonly #buffers: BufferPool;
  readonly #relays = new Map<Relay, FrontendState>();
  readonly #serving = new Set<Promise<void>>();
  readonly #choice = new Choice();
  readonly #snapshot = new Int32Array(SNAPSHOT_WORDS);
  readonly #source = new Source();
  readonly #snapshots = new SnapshotStore();
  readonly #ticks: { now: number };
  readonly #ticker: ReturnType<typeof setInterval>;
  #nextTunnel = 1;
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
    this.#ticks = { now: options.clock.now() };
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#listeners = new Listeners({
      accepted: (frontend, conn) => this.#accept(frontend, conn),
      failed: (frontend, failure, message) =>
        this.#events.push({
          kind: "accept_failed",
          frontend,
          failure,
          message,
          atMs: this.#wall(),
        }),
    }, options.clock);
  }

  async start(
    frontends: readonly Frontend[],
  ): Promise<ReadonlyMap<string, readonly Address[]>> {
    const bound = await this.#listeners.replace(frontends, () => {
      for (const settings of frontends) {
        const state = this.#frontends.get(settings.name);
        if (state === undefined) this.#frontends.set(settings.name, { settings, active: 0 });
        else state.settings = settings;
      }
    });
    // Only now are the last clients of those that are gone accepted.
    for (const [name, state] of this.#frontends) {
      const named = frontends.some((frontend) => frontend.name === name);
      if (!named && state.active === 0) this.#frontends.delete(name);
    }
    return bound;
  }

  publish(pool: string, plan: PoolPlan): void {
    this.#plans.set(pool, plan);
  }

  withdraw(pool: string): void {
    this.#plans.delete(pool);
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

  events(): AsyncIterable<EngineEvent> {
    return this.#events;
  }

  async drain(signal: AbortSignal): Promise<void> {
    await this.#listeners.stop();
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
    this.#events.end();
  }

  #now(): number {
    return this.#options.clock.now();
  }

  /** For records. */
  #wall(): number {
    return this.#options.clock.wall();
  }

  #tick(): void {
    const now = this.#now();
    const stoodStill = now - this.#ticks.now > MOST_TICK_MS;
    this.#ticks.now = now;
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
    const address = addressOf(client.remoteAddr);
    const pool = poolOf(state.settings, address);
    if (maxConnections > 0 && state.active >= maxConnections) {
      const visitor = { frontend: name, pool, client: address, attempts: 0, picks: [] };
      this.#refuse(client, visitor, "frontend_full");
      return;
    }
    state.active++;
    const served = this.#serve(state, pool, client, address).finally(() => {
      state.active--;
      this.#serving.delete(served);
    });
    this.#serving.add(served);
  }

  async #serve(
    state: FrontendState,
    pool: string,
    client: Deno.Conn,
    address: Address,
  ): Promise<void> {
    const acceptedMs = this.#now();
    const { name: frontend } = state.settings;
    const visitor: Visitor = { frontend, pool, client: address, attempts: 0, picks: [] };
    const place = await this.#findPlace(visitor);
    if (place === undefined) {
      this.#refuse(client, visitor, visitor.attempts === 0 ? "no_backend" : "connect_failed");
      return;
    }
    const relay = new Relay(client, place.conn, this.#buffers, this.#ticks);
    this.#relays.set(relay, state);
    if (this.#cutting.signal.aborted) relay.cut("shutdown");
    this.#opened++;
    const common = {
      tunnel: this.#nextTunnel++,
      frontend,
      pool,
      row: place.row,
      backend: place.backend,
      client: address,
      outgoing: addressOf(place.conn.localAddr),
    };
    this.#events.push({
      kind: "opened",
      ...common,
      atMs: this.#wall(),
      local: addressOf(client.localAddr),
      backendAddress: addressOf(place.conn.remoteAddr),
      attempts: visitor.attempts,
      connectMs: place.connectMs,
      decision: place.decision,
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

  /** Picks and connects until a backend takes the connection; its place in the table stays reserved. */
  async #findPlace(visitor: Visitor): Promise<Place | undefined> {
    let tried: Tried | null = null;
    let plan: PoolPlan | undefined;
    while (!this.#cutting.signal.aborted && !tried?.full) {
      // Anew each time: while a connect was awaited, a reload may have changed who stands in which row. In a
      // pool that was withdrawn nothing changes any more.
      plan = this.#plans.get(visitor.pool) ?? plan;
      if (plan === undefined || visitor.attempts > plan.connectRetries) return undefined;
      const { table, endpoints } = plan;
      this.#source.setAddress(visitor.client);
      const random = this.#options.random();
      const row = pick(table, tried, random, this.#choice, this.#source);
      const { step } = this.#choice;
      const trace = this.#trace(plan, tried, random);
      if (row < 0) {
        visitor.picks.push(trace);
        return undefined;
      }
      tried ??= new Tried();
      tried.add(row);
      const endpoint = endpoints[row];
      if (endpoint === undefined) {
        // Weighed, but the plan that says where it is has not come yet.
        release(table, row, step);
        continue;
      }
      visitor.picks.push(trace);
      const decision = describeChoice(this.#choice, endpoints, visitor.picks);
      const { backend } = endpoint;
      visitor.attempts++;
      const startedMs = this.#now();
      try {
        const conn = await connect(
          endpoint.addresses,
          plan.connectTimeoutMs,
          this.#cutting.signal,
        );
        this.#source.setAddress(visitor.client);
        countTunnel(table, row, this.#source);
        const connectMs = Math.round(this.#now() - startedMs);
        return { row, step, table, backend, conn, connectMs, decision };
      } catch (error) {
        release(table, row, step);
        const failure = classify(error);
        if (failure === "aborted") return undefined;
        trace.failure = failure;
        table.add(row, CONNECT_FAILURES, 1);
        this.#connectFailed(visitor, row, backend, failure, messageOf(error));
        // Our own lack of descriptors is not cured by asking elsewhere.
        if (failure === "out_of_descriptors") return undefined;
      }
    }
    return undefined;
  }

  /** What the pick that was just made saw. */
  #trace({ table, endpoints }: PoolPlan, tried: Tried | null, random: number): StoredTrace {
    takeSnapshot(table, tried, this.#choice, drawWord(random), this.#snapshot);
    const place = this.#snapshots.put(this.#snapshot, 0);
    return new StoredTrace(this.#wall(), this.#snapshots, place, endpoints);
  }

  #connectFailed(
    { frontend, pool, client }: Visitor,
    row: number,
    backend: string,
    failure: FailureKind,
    message: string,
  ): void {
    this.#connectFailures++;
    const atMs = this.#wall();
    const where = { frontend, pool, row, backend, client, atMs };
    this.#events.push({ kind: "connect_failed", ...where, failure, message });
  }

  #refuse(
    conn: Deno.Conn,
    visitor: Visitor,
    reason: RefusalReason,
  ): void {
    closeQuietly(conn);
    this.#refused++;
    this.#events.push({ kind: "refused", ...visitor, atMs: this.#wall(), reason });
  }
}

/** The pool that a client goes to. */
function poolOf({ pool, location }: Frontend, client: Address): string {
  if (location === undefined || client.transport === "unix") return pool;
  return location.pools[location.table.findHost(client.host)] ?? pool;
}

/** An address as Deno gives it, in our words; clients of a unix socket have no name. */
function addressOf(address: Deno.Addr): Address {
  if (address.transport === "tcp" || address.transport === "udp") {
    return { transport: "tcp", host: unmapHost(address.hostname), port: address.port };
  }
  return { transport: "unix", path: "path" in address ? address.path ?? "" : "" };
}
