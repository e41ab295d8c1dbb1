// One worker's loop of the splice engine without its thread: a test calls what messages would.

import { SourceTable } from "../../lib/core/admission/source_table.ts";
import { parseBackendAddress } from "../../lib/core/values/address.ts";
import { PickTable } from "../../lib/core/pick/pick_table.ts";
import type { ProxyVersion } from "../../lib/core/proxy_protocol/proxy_endpoint.ts";
import { HandoffQueue } from "../../lib/engine/splice/handoff_queue.ts";
import {
  allocateEngineMemory,
  allocateWorkerMemory,
  MESSAGES_READ,
  MESSAGES_SENT,
  SERIAL,
  TUNNEL_WORDS,
} from "../../lib/engine/splice/layout.ts";
import {
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  EPOLL_CLOEXEC,
  EPOLL_DATA_WORD,
  EPOLL_EVENT_WORDS,
  type Libc,
  openLibc,
} from "../../lib/engine/splice/libc.ts";
import type { ListenerSpec } from "../../lib/engine/splice/control_messages.ts";
import { Loop } from "../../lib/engine/splice/loop.ts";
import { Plan } from "../../lib/engine/splice/plan.ts";
import { SocketMaker } from "../../lib/engine/splice/sockets.ts";
import { KEEPALIVE } from "./splice_engine.ts";
import { addRow } from "./tables.ts";

/** A loop with one pool of one backend; nothing listens until the test says so. */
export class WorkerByHand implements Disposable {
  readonly libc = openLibc();
  readonly maker = new SocketMaker(this.libc, KEEPALIVE);
  readonly engine = allocateEngineMemory();
  readonly handoff = HandoffQueue.allocate();
  readonly memory;
  readonly loop: Loop;
  readonly #epollFd = this.libc.calls.epoll_create1(EPOLL_CLOEXEC);
  readonly #wakeFd = this.libc.calls.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  readonly #listening: ReturnType<SocketMaker["listen"]>[] = [];
  readonly #table = PickTable.allocate(1);
  readonly #rows;
  /** How often events are still to be given, before the loop comes back. */
  #turns = 0;
  /** Events that the kernel does not know of. */
  readonly #told: (readonly [events: number, key: number, serial: number])[] = [];

  /**
   * @param backend its addresses, with spaces between them.
   * @param capacity sessions that it has records for.
   * @param overrides calls that the loop makes in place of the library's.
   */
  constructor(
    backend: string,
    capacity: number,
    overrides: (real: Libc) => Partial<Libc["calls"]> = () => ({}),
  ) {
    this.memory = allocateWorkerMemory(capacity);
    const calls: Libc["calls"] = {
      ...this.libc.calls,
      ...overrides(this.libc),
      epoll_wait: (fd, events, most) => this.#wait(fd, events, most),
    };
    this.loop = new Loop({ ...this.libc, calls }, {
      memory: this.memory,
      engine: this.engine,
      sources: SourceTable.allocate(1024).buffer,
      epollFd: this.#epollFd,
      number: 0,
      handoffs: [this.handoff],
      wakeFds: [this.#wakeFd],
      keepalive: KEEPALIVE,
      originMs: performance.timeOrigin,
    }, () => {});
    addRow(this.#table, new Set());
    this.#rows = [
      backend.split(" ").map((text) => {
        const address = parseBackendAddress(text);
        return address.ok ? this.maker.sockaddr(address.value) : undefined;
      }),
    ];
  }

  /** Makes a socket that listens on a free port, for `specOf`. */
  open(): ReturnType<SocketMaker["listen"]> {
    const socket = this.maker.listen({ transport: "tcp", host: "127.0.0.1", port: 0 });
    this.#listening.push(socket);
    return socket;
  }

  /** Tells the loop, with its next turn, of events on a client's socket (side 0) or its backend's (1). */
  tell(slot: number, side: number, events: number): void {
    const serial = this.memory.words[slot * TUNNEL_WORDS + SERIAL + side] ?? 0;
    this.#told.push([events, 2 * slot + side, serial]);
  }

  /**
   * Has the loop take the events that wait, and meet its deadlines.
   * @param turns 0: only deadlines.
   */
  turn(turns: 0 | 1 = 1): void {
    this.#turns = turns;
    this.loop.run();
    Atomics.store(
      this.memory.control,
      MESSAGES_READ,
      Atomics.load(this.memory.control, MESSAGES_SENT),
    );
  }

  /** Gives events, then none, and says that a message has come: the loop comes back. */
  #wait(fd: number, events: Deno.PointerValue, most: number): number {
    if (this.#turns-- <= 0) {
      Atomics.add(this.memory.control, MESSAGES_SENT, 1);
      return 0;
    }
    const told = this.#told.splice(0);
    if (told.length === 0 || events === null) {
      return this.libc.calls.epoll_wait(fd, events, most, 0);
    }
    const length = 4 * EPOLL_EVENT_WORDS * told.length;
    const words = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(events, length));
    for (const [index, [flags, key, serial]] of told.entries()) {
      words[index * EPOLL_EVENT_WORDS] = flags;
      words.set([key, serial], index * EPOLL_EVENT_WORDS + EPOLL_DATA_WORD);
    }
    return told.length;
  }

  /** Publishes the pool's plan under this number. */
  publish(planId: number, sendProxy?: ProxyVersion): void {
    this.loop.listeners.publish(
      0,
      new Plan({
        id: planId,
        pool: 0,
        table: this.#table.buffer,
        rows: this.#rows,
        connectTimeoutMs: 60_000,
        connectRetries: 0,
        queue: { timeoutMs: 0, max: 1 },
        ...(sendProxy === undefined ? {} : { sendProxy }),
      }),
    );
  }

  [Symbol.dispose](): void {
    this.loop.end();
    for (const socket of this.#listening) this.maker.close(socket);
    for (const fd of [this.#wakeFd, this.#epollFd]) this.libc.calls.close(fd);
    this.libc.close();
  }
}

/** What a loop is told of a socket that listens, without limits. */
export function specOf({ fd }: { readonly fd: number }, id: number): ListenerSpec {
  return {
    id,
    fd,
    frontend: 0,
    pools: [0],
    denied: [],
    maxConnections: 0,
    waitsWhenFull: true,
    idleTimeoutMs: 0,
    unix: false,
    refusalText: [],
  };
}
