// What the engine cases stand on: one engine, a pool described in a line, its events collected.

import type { QueuePlan } from "../../lib/core/dial/dial_policy.ts";
import { QUEUE_SIZE } from "../../lib/core/dial/pool_queue.ts";
import { type Address, parseBackendAddress } from "../../lib/core/values/address.ts";
import {
  ELIGIBLE,
  FREE_MILLI_CORES,
  MAX_CONNECTIONS,
  ORDER,
  PickTable,
  WEIGHT,
  WEIGHT_UNIT,
  WEIGHTED,
} from "../../lib/core/pick/pick_table.ts";
import type { PickKernel } from "../../lib/core/pick/kernels/registry.ts";
import { identityOf } from "../../lib/core/pick/source.ts";
import type { Engine, EngineEvent, Frontend, PoolPlan } from "../../lib/engine/engine.ts";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { receive } from "../support/bytes.ts";
import { keepEvent } from "../support/events.ts";
import { waitFor, within } from "../support/wait_for.ts";
import { setKernel } from "../support/tables.ts";

export interface BackendSetup {
  readonly address: string;
  readonly eligible?: boolean;
  readonly free?: number;
  readonly maxConnections?: number;
  readonly weight?: number;
}

export interface PoolSetup {
  readonly kernel?: PickKernel;
  readonly retries?: number;
  readonly connectTimeoutMs?: number;
  readonly stickyEntries?: number;
  /** As it is configured unless told otherwise. */
  readonly queue?: QueuePlan;
}

/** Makes a plan as the control plane would. */
export function planOf(
  backends: readonly (string | BackendSetup)[],
  setup: PoolSetup = {},
): PoolPlan {
  const table = PickTable.allocate(64, setup.stickyEntries, QUEUE_SIZE);
  const taken = new Set<number>();
  setKernel(table, setup.kernel ?? "rotation");
  const endpoints = backends.map((entry) => {
    const backend = typeof entry === "string" ? { address: entry } : entry;
    const address = parseBackendAddress(backend.address);
    if (!address.ok) throw new Error(address.message);
    const row = table.claim(taken, identityOf(backend.address));
    taken.add(row);
    table.write(row, ORDER, row);
    table.write(row, WEIGHT, (backend.weight ?? 1) * WEIGHT_UNIT);
    if (backend.weight !== undefined) table.words[WEIGHTED] = 1;
    table.write(row, ELIGIBLE, backend.eligible === false ? 0 : 1);
    table.write(row, FREE_MILLI_CORES, backend.free ?? 0);
    table.write(row, MAX_CONNECTIONS, backend.maxConnections ?? 0);
    return { backend: backend.address, addresses: [address.value] };
  });
  return {
    table,
    endpoints,
    connectTimeoutMs: setup.connectTimeoutMs ?? 2000,
    connectRetries: setup.retries ?? 3,
    queue: setup.queue ?? { timeoutMs: 3000, max: 1000 },
  };
}

/** A pool of peers that greet with their names, then echo, behind a frontend; they end with it. */
export interface NamedPool<N extends string> extends AsyncDisposable {
  readonly port: number;
  readonly plan: PoolPlan;
  address(name: N): string;
}

/** Starts peers and listens for them; rows stand in the order of their names. */
export async function startPool<N extends string>(
  fixture: EngineFixture,
  backends: Readonly<Record<N, Omit<BackendSetup, "address">>>,
  setup: PoolSetup = {},
): Promise<NamedPool<N>> {
  const peers = new AsyncDisposableStack();
  const setups = new Map(
    Object.entries<Omit<BackendSetup, "address">>(backends).map(([name, backend]) => {
      const { address } = peers.use(new TcpPeer(greetThenEcho(name)));
      return [name, { ...backend, address }] as const;
    }),
  );
  const plan = planOf([...setups.values()], setup);
  return {
    plan,
    port: await fixture.listen(plan),
    address: (name) => setups.get(name)?.address ?? "",
    [Symbol.asyncDispose]: () => peers[Symbol.asyncDispose](),
  };
}

export class EngineFixture implements AsyncDisposable {
  readonly events: EngineEvent[] = [];
  readonly #reader: Promise<void>;

  constructor(readonly engine: Engine) {
    this.#reader = this.#collect();
  }

  #collect(): Promise<void> {
    return this.engine.deliver((event) => void this.events.push(keepEvent(event)));
  }

  /** Listens on a free loopback port for pool `p` and returns the port. */
  async listen(plan: PoolPlan, settings: Partial<Frontend> = {}): Promise<number> {
    this.engine.publish("p", plan);
    const frontend = frontendOf(settings);
    const bound = await within("bind", this.engine.start([frontend]));
    return portOf(bound.get(frontend.name));
  }

  /** All events of a kind so far. */
  of<K extends EngineEvent["kind"]>(kind: K): Extract<EngineEvent, { kind: K }>[] {
    return this.events.filter((event): event is Extract<EngineEvent, { kind: K }> =>
      event.kind === kind
    );
  }

  /** Waits for the n-th event of a kind. */
  async nth<K extends EngineEvent["kind"]>(
    kind: K,
    n: number = 1,
  ): Promise<Extract<EngineEvent, { kind: K }>> {
    return await waitFor(`event "${kind}" number ${n}`, () => this.of(kind)[n - 1]);
  }

  /** Waits until no tunnel stands. */
  async quiet(): Promise<void> {
    await waitFor("the last tunnel's end", () => this.engine.counters().active === 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await within("the engine's end", this.engine[Symbol.asyncDispose]());
    await this.#reader;
  }
}

export function frontendOf(settings: Partial<Frontend> = {}): Frontend {
  return {
    name: "f",
    listen: [{ transport: "tcp", host: "127.0.0.1", port: 0 }],
    pool: "p",
    maxConnections: 0,
    whenFull: "wait",
    idleTimeoutMs: 0,
    ...settings,
  };
}

export function portOf(addresses: readonly Address[] | undefined): number {
  const address = addresses?.[0];
  if (address?.transport !== "tcp") throw new Error("The frontend is not bound to TCP");
  return address.port;
}

/** Descriptors that this process holds. */
export function openDescriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

export function connectTo(port: number): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port });
}

/** Connects and tells who greeted, by one letter. */
export async function greeted(port: number): Promise<string> {
  using client = await connectTo(port);
  return await receive(client, 1);
}
