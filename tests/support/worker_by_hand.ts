// One worker's loop of the splice engine without its thread: a test calls what messages would.

import { SourceTable } from "../../lib/core/admission/source_table.ts";
import { parseBackendAddress } from "../../lib/core/values/address.ts";
import { PickTable } from "../../lib/core/pick/pick_table.ts";
import { HandoffQueue } from "../../lib/engine/splice/handoff_queue.ts";
import { allocateEngineMemory, allocateWorkerMemory } from "../../lib/engine/splice/layout.ts";
import {
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  EPOLL_CLOEXEC,
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

  /** @param capacity sessions that it has records for. */
  constructor(backend: string, capacity: number) {
    this.memory = allocateWorkerMemory(capacity);
    this.loop = new Loop(this.libc, {
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
    const address = parseBackendAddress(backend);
    this.#rows = [[address.ok ? this.maker.sockaddr(address.value) : undefined]];
  }

  /** Makes a socket that listens on a free port, for `specOf`. */
  open(): ReturnType<SocketMaker["listen"]> {
    const socket = this.maker.listen({ transport: "tcp", host: "127.0.0.1", port: 0 });
    this.#listening.push(socket);
    return socket;
  }

  /** Publishes the pool's plan under this number. */
  publish(planId: number): void {
    this.loop.listeners.publish(
      0,
      new Plan({
        id: planId,
        pool: 0,
        table: this.#table.buffer,
        rows: this.#rows,
        connectTimeoutMs: 60_000,
        connectRetries: 0,
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
    access: [],
    maxConnections: 0,
    waitsWhenFull: true,
    idleTimeoutMs: 0,
    unix: false,
    refusalText: [],
  };
}
