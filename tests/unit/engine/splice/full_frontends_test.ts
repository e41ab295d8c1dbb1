// Workers that share a frontend's sockets, as the kernel wakes them: never does a client wait while there is
// room and everybody sleeps.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { SourceTable } from "../../../../lib/core/admission/source_table.ts";
import type { ListenerSpec } from "../../../../lib/engine/splice/control_messages.ts";
import { FullFrontends } from "../../../../lib/engine/splice/full_frontends.ts";
import {
  allocateEngineMemory,
  allocateWorkerMemory,
  FRONTEND_ACTIVE,
} from "../../../../lib/engine/splice/layout.ts";
import { Ledger } from "../../../../lib/engine/splice/ledger.ts";
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, openLibc } from "../../../../lib/engine/splice/libc.ts";
import { Poller } from "../../../../lib/engine/splice/poller.ts";
import { specOf } from "../../../support/worker_by_hand.ts";

const FRONTEND = 3;

/** What the kernel knows: who waits at each socket, who watches it, whom it has told. */
class Kernel {
  readonly waiting = [0, 0];
  readonly watched: Set<number>[];
  readonly told: Set<number>[];

  constructor(workers: number) {
    this.watched = Array.from({ length: workers }, () => new Set());
    this.told = Array.from({ length: workers }, () => new Set());
  }

  control(worker: number, operation: number, socket: number): number {
    // EEXIST: nothing changes.
    if (operation === EPOLL_CTL_ADD && this.watched[worker]?.has(socket)) return -1;
    this.told[worker]?.delete(socket);
    if (operation !== EPOLL_CTL_ADD) this.watched[worker]?.delete(socket);
    else {
      this.watched[worker]?.add(socket);
      if ((this.waiting[socket] ?? 0) > 0) this.told[worker]?.add(socket);
    }
    return 0;
  }

  /** A client comes: of those who watch, one is told (EPOLLEXCLUSIVE). */
  comes(socket: number, whom: number): void {
    this.waiting[socket]! += 1;
    const watching = [...this.watched.keys()].filter((one) => this.watched[one]?.has(socket));
    const worker = watching[whom % watching.length];
    if (worker !== undefined) this.told[worker]?.add(socket);
  }
}

class Site {
  readonly kernel: Kernel;
  readonly sessions: number[];
  /** Who gets the clients that are accepted; undefined: who accepts them. */
  handTo: number | undefined;
  readonly #engine = allocateEngineMemory();
  readonly #workers: { readonly ledger: Ledger; readonly full: FullFrontends }[];

  constructor(workers: number, readonly most: number) {
    this.kernel = new Kernel(workers);
    this.sessions = new Array<number>(workers).fill(0);
    const real = openLibc();
    const sources = SourceTable.allocate(16);
    this.#workers = this.sessions.map((_, worker) => {
      const memory = allocateWorkerMemory(1);
      const libc = {
        ...real,
        calls: {
          ...real.calls,
          epoll_ctl: (_: number, operation: number, socket: number) =>
            this.kernel.control(worker, operation, socket),
        },
      };
      const poller = new Poller(libc, memory, worker);
      const ledger = new Ledger(memory.words, this.#engine, sources, worker);
      return { ledger, full: new FullFrontends(this.#engine, ledger, poller) };
    });
    real.close();
    this.listen(most);
  }

  get active(): number {
    return this.#engine[FRONTEND_ACTIVE + FRONTEND] ?? 0;
  }

  /** A reload. */
  listen(most: number): void {
    const specs = [0, 1].map((fd): ListenerSpec => ({
      ...specOf({ fd }, fd),
      frontend: FRONTEND,
      maxConnections: most,
    }));
    this.#workers.forEach(({ full }, worker) => {
      full.listen(specs);
      for (const { fd } of specs) {
        this.kernel.control(worker, EPOLL_CTL_DEL, fd);
        this.kernel.control(worker, EPOLL_CTL_ADD, fd);
      }
      full.watchedAnew();
    });
  }

  /** A turn of a worker's loop, as the acceptor takes it: what it was told of, `ends` sessions, a look at the end. */
  turn(worker: number, ends: number, most: number): void {
    const one = this.#workers[worker];
    assert(one !== undefined);
    for (const socket of [...this.kernel.told[worker] ?? []]) this.#accept(worker, socket, most);
    for (let n = Math.min(ends, this.sessions[worker] ?? 0); n > 0; n--) {
      this.sessions[worker]! -= 1;
      one.ledger.leave(FRONTEND);
    }
    one.full.resume();
  }

  #accept(worker: number, socket: number, most: number): void {
    const one = this.#workers[worker];
    assert(one !== undefined);
    for (;;) {
      while (!one.ledger.enter(FRONTEND, most)) if (one.full.park(FRONTEND)) return;
      if (this.kernel.waiting[socket] === 0) {
        one.ledger.leave(FRONTEND);
        this.kernel.told[worker]?.delete(socket);
        return;
      }
      this.kernel.waiting[socket]! -= 1;
      this.sessions[this.handTo ?? worker]! += 1;
    }
  }

  /** Those take turns who have been told of something, until nobody is any more. */
  settle(most: number): void {
    for (let rounds = 0;; rounds++) {
      const awake = this.kernel.told.flatMap((told, worker) => told.size > 0 ? [worker] : []);
      if (awake.length === 0) return;
      assert(rounds < 100, "somebody is woken again and again");
      for (const worker of awake) this.turn(worker, 0, most);
    }
  }
}

const step = fc.oneof(
  fc.record({
    kind: fc.constant("comes" as const),
    socket: fc.nat({ max: 1 }),
    whom: fc.nat({ max: 2 }),
  }),
  fc.record({ kind: fc.constant("ends" as const), worker: fc.nat({ max: 2 }) }),
  fc.record({ kind: fc.constant("turn" as const), worker: fc.nat({ max: 2 }) }),
  fc.record({ kind: fc.constant("settles" as const) }),
  fc.record({
    kind: fc.constant("hands" as const),
    to: fc.option(fc.nat({ max: 2 }), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant("reload" as const), most: fc.integer({ min: 1, max: 4 }) }),
);

Deno.test("nobody waits where there is room once all sleep, and there are never too many", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3 }),
      fc.array(step, { size: "max", maxLength: 120 }),
      (first, steps) => {
        const site = new Site(3, first);
        let most = first;
        for (const one of steps) {
          if (one.kind === "comes") site.kernel.comes(one.socket, one.whom);
          else if (one.kind === "ends") site.turn(one.worker, 1, most);
          else if (one.kind === "hands") site.handTo = one.to;
          else if (one.kind === "reload") site.listen(most = one.most);
          else if (one.kind === "settles") site.settle(most);
          else {
            site.turn(one.worker, 0, most);
            // Whoever turns takes part again.
            const watches = site.kernel.watched[one.worker]?.size === 2;
            assert(watches || site.active >= most, `worker ${one.worker} does not watch`);
          }
          assertEquals(site.active, site.sessions.reduce((sum, count) => sum + count, 0));
          if (one.kind !== "settles") continue;
          const waiting = site.kernel.waiting.some((count) => count > 0);
          assert(!waiting || site.active >= most, `${site.active} of ${most}, and some wait`);
        }
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("a worker that was not told of those who wait takes them when its session ends", () => {
  const site = new Site(2, 1);
  site.handTo = 1;
  // The first one is told of both, hands one over, finds no place for the other and watches no more.
  for (let client = 0; client < 2; client++) site.kernel.comes(0, 0);
  site.settle(1);
  assertEquals([site.sessions, site.kernel.waiting], [[0, 1], [1, 0]]);
  assertEquals(site.kernel.watched.map((sockets) => sockets.size), [0, 2]);
  site.turn(1, 1, 1);
  site.settle(1);
  assertEquals([site.sessions, site.kernel.waiting], [[0, 1], [0, 0]]);
});
