// The splice engine: what stands between the Engine interface and the workers. Owns the listening
// sockets, the plans' ids and the reading of events; no byte of a tunnel passes here.
// Runs on the control plane.

import { type Address, formatAddress, sameAddress } from "../../core/values/address.ts";
import type { PickTable } from "../../core/pick/pick_table.ts";
import type {
  EndReason,
  Engine,
  EngineCounters,
  EngineListener,
  Frontend,
  PoolPlan,
  Session,
} from "../engine.ts";
import { adjustMode } from "../socket_mode.ts";
import { EventReader } from "./event_reader.ts";
import { type Names, numberOfEnd, refusalTextByNumber } from "./events.ts";
import {
  ACCEPTED,
  ACTIVE_TUNNELS,
  BYTES_TO_BACKEND,
  BYTES_TO_CLIENT,
  CONNECT_FAILURES,
  EVENTS_DROPPED,
  FRONTEND_ACTIVE,
  MAX_FRONTENDS,
  OPENED,
  REFUSED,
} from "./layout.ts";
import { type Libc, openLibc } from "./libc.ts";
import type { ListenerSpec, ToWorker } from "./control_messages.ts";
import { Numbers } from "./numbers.ts";
import { PlanIds } from "./plan_ids.ts";
import { readSessions } from "./session_reader.ts";
import { type ListeningSocket, SocketMaker } from "./sockets.ts";
import { Supervisor, type SupervisorOptions } from "./supervisor.ts";

export interface SpliceEngineOptions extends SupervisorOptions {
  /** Listening sockets that the program was started with (LISTEN_FDS), used where the address fits. */
  readonly inherited?: readonly number[];
}

/** How often a drain looks whether the last tunnel has ended. */
const DRAIN_LOOK_MS = 20;

/** A listening socket, and the frontend whose clients come in there. */
class Listening {
  constructor(readonly id: number, readonly socket: ListeningSocket, public frontend: Frontend) {}
}

export class SpliceEngine implements Engine {
  readonly name = "splice";
  readonly workers: number;
  readonly #options: SpliceEngineOptions;
  readonly #libc: Libc;
  readonly #sockets: SocketMaker;
  readonly #supervisor: Supervisor;
  readonly #plans: PlanIds;
  readonly #inherited: ListeningSocket[];
  /** Open sockets by what was asked for, see keyOf. */
  #listening = new Map<string, Listening>();
  /** Where each listener that ever was listened, by id, for the records that name it. */
  readonly #bound: Address[] = [];
  readonly #frontends = new Numbers<string>();
  readonly #pools = new Numbers<string>();
  readonly #names: Names;
  readonly #reader: EventReader;
  readonly #end = new AbortController();
  #turn: Promise<unknown> = Promise.resolve();

  /** @throws {Error} where there is no glibc, or the program may not use FFI. */
  constructor(options: SpliceEngineOptions) {
    this.#options = options;
    this.workers = options.workers;
    this.#libc = openLibc();
    this.#sockets = new SocketMaker(this.#libc, options.keepalive);
    this.#inherited = (options.inherited ?? []).map((fd) => this.#sockets.adopt(fd));
    this.#supervisor = new Supervisor(
      this.#libc,
      options,
      {
        messages: () => this.#newWorkerState(),
        tableOf: (planId) => this.#plans.tableOf(planId),
      },
      () => this.#reader.wake(),
    );
    this.#names = {
      frontend: (index) => this.#frontends.get(index) ?? "",
      plan: (planId) => this.#plans.named(planId),
      pool: (number) => this.#pools.get(number) ?? "",
      bound: (id) => this.#bound[id],
    };
    this.#reader = new EventReader(this.#supervisor, this.#names, options.clock);
    this.#plans = new PlanIds(
      this.#supervisor.engineMemory,
      (address) => this.#sockets.sockaddr(address),
      (name) => this.#poolNumber(name),
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

  publish(pool: string, plan: PoolPlan): void {
    this.#sweep();
    const message = this.#plans.publish(pool, plan);
    if (message !== undefined) this.#supervisor.post(message);
  }

  withdraw(pool: string): void {
    this.#plans.withdraw(pool);
    this.#supervisor.post({ kind: "withdraw", pool: this.#poolNumber(pool) });
  }

  uses(table: PickTable): boolean {
    return this.#plans.uses(table);
  }

  counters(): EngineCounters {
    const count = (counter: number) => this.#supervisor.count(counter);
    return {
      accepted: count(ACCEPTED),
      opened: count(OPENED),
      active: count(ACTIVE_TUNNELS),
      refused: count(REFUSED),
      connectFailures: count(CONNECT_FAILURES),
      bytesToBackend: count(BYTES_TO_BACKEND),
      bytesToClient: count(BYTES_TO_CLIENT),
      eventsDropped: count(EVENTS_DROPPED),
      activeByFrontend: new Map(
        [...this.#frontends].map(([index, name]) => [name, this.#activeOf(index)]),
      ),
    };
  }

  sessions(): readonly Session[] {
    const { memories, nowMs } = this.#supervisor;
    return readSessions(memories, this.#names, nowMs, this.#options.clock.wall());
  }

  end(tunnels: readonly number[], reason: EndReason): void {
    this.#supervisor.post({ kind: "end", tunnels, reason: numberOfEnd(reason) });
  }

  /** Clients that each worker has, those still on their way to a backend included. */
  loadByWorker(): readonly number[] {
    return this.#supervisor.loads;
  }

  deliver(listener: EngineListener): Promise<void> {
    return this.#reader.deliver(listener);
  }

  async drain(signal: AbortSignal): Promise<void> {
    await this.start([]);
    let cut = false;
    while (this.#supervisor.loads.some((load) => load > 0)) {
      if (signal.aborted && !cut) {
        cut = true;
        this.#supervisor.post({ kind: "cut" });
      }
      await this.#rest(DRAIN_LOOK_MS, cut ? undefined : signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn;
    for (const { socket } of this.#listening.values()) this.#sockets.close(socket);
    for (const socket of this.#inherited) this.#sockets.close(socket);
    this.#listening.clear();
    await this.#supervisor.stop();
    this.#end.abort();
    this.#reader.end();
    this.#libc.close();
  }

  async #start(
    frontends: readonly Frontend[],
    atSwitch: () => void,
    beforeAccept: () => Promise<readonly Frontend[]>,
  ): Promise<ReadonlyMap<string, readonly Address[]>> {
    this.#sweep();
    const next = new Map<string, Listening>();
    const fresh: ListeningSocket[] = [];
    let owners: [Listening, Frontend][] = [];
    const bound = new Map<string, readonly Address[]>();
    try {
      for (const frontend of frontends) {
        this.#frontendIndex(frontend.name);
        bound.set(
          frontend.name,
          frontend.listen.map((address, index) => {
            const key = keyOf(frontend, index, address);
            let listening = next.has(key) ? undefined : this.#listening.get(key);
            if (listening === undefined) {
              const socket = this.#listen(address, frontend.socketMode);
              fresh.push(socket);
              listening = new Listening(this.#bound.push(socket.bound) - 1, socket, frontend);
            }
            owners.push([listening, frontend]);
            next.set(key, listening);
            return listening.socket.bound;
          }),
        );
      }
      if (!this.#supervisor.running && frontends.length > 0) await this.#startWorkers();
      const settled = new Map((await beforeAccept()).map((one) => [one.name, one]));
      owners = owners.map(([listening, one]) => [listening, settled.get(one.name) ?? one]);
      // Only once nothing else can fail: a reload that is refused changes nothing.
      for (const [{ socket, frontend: before }, { socketMode }] of owners) {
        // What was made outside has its mode from there.
        if (socket.inherited !== true) adjustMode(socket.bound, before.socketMode, socketMode);
      }
    } catch (error) {
      for (const socket of fresh) this.#sockets.close(socket);
      throw error;
    }
    const gone = [...this.#listening].filter(([key]) => !next.has(key)).map(([, entry]) => entry);
    await this.#supervisor.hold(gone.map(({ id }) => id));
    for (const [listening, frontend] of owners) listening.frontend = frontend;
    this.#listening = next;
    try {
      atSwitch();
    } finally {
      await this.#supervisor.listen(this.#specs());
    }
    for (const { socket } of gone) this.#sockets.close(socket);
    return bound;
  }

  async #startWorkers(): Promise<void> {
    try {
      await this.#supervisor.start();
    } catch (error) {
      await this.#supervisor.stop();
      throw error;
    }
  }

  /** Takes a socket that was inherited for the address, or makes one. */
  #listen(address: Address, mode: number | undefined): ListeningSocket {
    const at = this.#inherited.findIndex(({ bound }) => sameAddress(bound, everywhere(address)));
    if (at >= 0) {
      const [socket] = this.#inherited.splice(at, 1);
      if (socket !== undefined) return socket;
    }
    return this.#sockets.listen(address, mode);
  }

  #frontendIndex(name: string): number {
    const known = this.#frontends.find((one) => one === name);
    if (known >= 0) return known;
    return this.#frontends.add((index) => {
      if (index < MAX_FRONTENDS) {
        // What is known of the clients of a frontend that had the number before.
        this.#supervisor.sources.forget(index);
        return name;
      }
      throw new RangeError(
        `Cannot add frontend "${name}": expected at most ${MAX_FRONTENDS}, those that have left and ` +
          "still have sessions included",
      );
    });
  }

  #poolNumber(name: string): number {
    const known = this.#pools.find((one) => one === name);
    return known >= 0 ? known : this.#pools.add(() => name);
  }

  #specs(): ListenerSpec[] {
    return [...this.#listening.values()].map(({ id, socket, frontend }) => ({
      id,
      fd: socket.fd,
      frontend: this.#frontendIndex(frontend.name),
      pools: poolsOf(frontend).map((name) => this.#poolNumber(name)),
      ...(frontend.location === undefined ? {} : { location: frontend.location.table.buffer }),
      ...(frontend.acceptProxyFrom === undefined
        ? {}
        : { acceptProxyFrom: frontend.acceptProxyFrom.buffer }),
      denied: (frontend.denied ?? []).map(({ buffer }) => buffer),
      maxConnections: frontend.maxConnections,
      waitsWhenFull: frontend.whenFull === "wait",
      ...(frontend.perSource === undefined ? {} : { perSource: frontend.perSource }),
      idleTimeoutMs: frontend.idleTimeoutMs,
      ...(socket.local === undefined ? {} : { local: socket.local }),
      unix: socket.bound.transport === "unix",
      refusalText: refusalTextByNumber(frontend.refusalText),
    }));
  }

  #newWorkerState(): ToWorker[] {
    const { lastId } = this.#supervisor;
    return [
      ...this.#plans.current(),
      { kind: "listen", id: lastId, listeners: this.#specs() },
    ];
  }

  /** Frees the numbers of what nobody will speak of any more. */
  #sweep(): void {
    // Else a worker may still begin a client by what is thought to have gone.
    if (!this.#supervisor.settled) return;
    const records = this.#supervisor.recordsRead;
    const frontends = [...this.#listening.values()].map(({ frontend }) => frontend);
    const names = new Set(frontends.map(({ name }) => name));
    this.#plans.sweep(records);
    const pools = new Set([...frontends.flatMap(poolsOf), ...this.#plans.pools]);
    this.#pools.sweep((name) => !pools.has(name), records);
    this.#frontends.sweep(
      (name, index) => !names.has(name) && this.#activeOf(index) === 0,
      records,
    );
  }

  /** Clients of a frontend, those included that have no tunnel yet. */
  #activeOf(index: number): number {
    return Atomics.load(this.#supervisor.engineMemory, FRONTEND_ACTIVE + index);
  }

  /** Waits, at most until the engine's end or the signal. */
  async #rest(ms: number, signal: AbortSignal = this.#end.signal): Promise<void> {
    if (signal.aborted) return;
    try {
      await this.#options.clock.sleep(ms, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

/** Its own pool, then those that its location names. */
function poolsOf({ pool, location }: Frontend): readonly string[] {
  return location?.pools ?? [pool];
}

/** A port that the kernel chooses is a new one for each mention; any other address is itself. */
function keyOf(frontend: Frontend, index: number, address: Address): string {
  const text = formatAddress(address);
  const chosen = address.transport === "tcp" && address.port === 0;
  return chosen ? `${frontend.name} ${index} ${text}` : text;
}

/** How the kernel names the address that is written ":port". */
function everywhere(address: Address): Address {
  return address.transport === "tcp" && address.host === "" ? { ...address, host: "::" } : address;
}
