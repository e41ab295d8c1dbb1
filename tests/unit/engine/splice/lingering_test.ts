// Refused clients that read why, by hand and in a worker that is driven by hand.

import { assert, assertEquals } from "@std/assert";
import { SourceTable } from "../../../../lib/core/admission/source_table.ts";
import {
  allocateEngineMemory,
  allocateWorkerMemory,
  LINGERING,
  OUT_OF_DESCRIPTORS,
  REFUSED,
  STATE,
  TUNNEL_WORDS,
  type WorkerMemory,
} from "../../../../lib/engine/splice/layout.ts";
import { Ledger } from "../../../../lib/engine/splice/ledger.ts";
import { EPOLL_CLOEXEC, openLibc } from "../../../../lib/engine/splice/libc.ts";
import { Lingering, MOST_LINGERING } from "../../../../lib/engine/splice/lingering.ts";
import { Listeners } from "../../../../lib/engine/splice/listeners.ts";
import { Poller } from "../../../../lib/engine/splice/poller.ts";
import { FRONTEND_FULL, NO_BACKEND } from "../../../../lib/engine/splice/records.ts";
import { SocketMaker } from "../../../../lib/engine/splice/sockets.ts";
import { TimerWheel } from "../../../../lib/engine/splice/timer_wheel.ts";
import { TunnelTable } from "../../../../lib/engine/splice/tunnel_table.ts";
import { connectTo, portOf } from "../../../conformance/engine_fixture.ts";
import { BlackHole } from "../../../peers/black_hole.ts";
import { readAll } from "../../../support/bytes.ts";
import { KEEPALIVE } from "../../../support/splice_engine.ts";
import { specOf, WorkerByHand } from "../../../support/worker_by_hand.ts";

const TEXT = "full\r\n";

function refusalText(): Uint8Array<ArrayBuffer>[] {
  const text: Uint8Array<ArrayBuffer>[] = [];
  text[FRONTEND_FULL] = new TextEncoder().encode(TEXT);
  return text;
}

function lingeringIn({ words, capacity }: WorkerMemory): number {
  const states = Array.from({ length: capacity }, (_, slot) => words[slot * TUNNEL_WORDS + STATE]);
  return states.filter((state) => state === LINGERING).length;
}

/** Refused clients of a worker that is not there. */
class Door implements Disposable {
  readonly #libc = openLibc();
  readonly #epollFd = this.#libc.calls.epoll_create1(EPOLL_CLOEXEC);
  readonly #maker = new SocketMaker(this.#libc, KEEPALIVE);
  readonly #listening = this.#maker.listen({ transport: "tcp", host: "127.0.0.1", port: 0 });
  readonly memory = allocateWorkerMemory(2 * MOST_LINGERING);
  readonly engine = allocateEngineMemory();
  readonly lingering: Lingering;
  readonly #listeners = new Listeners(this.#libc, this.memory);
  readonly #clients: Deno.TcpConn[] = [];

  constructor() {
    this.lingering = new Lingering({
      libc: this.#libc,
      table: new TunnelTable(this.memory),
      poller: new Poller(this.#libc, this.memory, this.#epollFd),
      wheel: new TimerWheel(this.memory, 0),
      ledger: new Ledger(this.memory.words, this.engine, SourceTable.allocate(16), 0),
      listeners: this.#listeners,
      time: new Float64Array(3),
    });
    this.#listeners.listen([{ ...specOf(this.#listening, 0), refusalText: refusalText() }]);
  }

  /** A client comes and is refused. */
  async refuse(reason: number): Promise<Deno.TcpConn> {
    const client = await connectTo(portOf([this.#listening.bound]));
    this.#clients.push(client);
    const fd = this.#libc.calls.accept4(this.#listening.fd, null, null, 0o4000);
    const listener = this.#listeners.find(0);
    assert(fd >= 0 && listener !== undefined);
    this.lingering.seeOffSocket(fd, listener, reason);
    return client;
  }

  [Symbol.dispose](): void {
    this.lingering.giveWay();
    for (const client of this.#clients) client.close();
    this.#maker.close(this.#listening);
    this.#libc.calls.close(this.#epollFd);
    this.#libc.close();
  }
}

async function heard(client: Deno.TcpConn): Promise<string> {
  return new TextDecoder().decode(await readAll(client));
}

Deno.test("who is told nothing, and who comes while descriptors are short, is closed at once", async () => {
  using door = new Door();
  assertEquals(await heard(await door.refuse(FRONTEND_FULL)), TEXT);
  assertEquals(await heard(await door.refuse(NO_BACKEND)), "");
  assertEquals(lingeringIn(door.memory), 1);
  door.engine[OUT_OF_DESCRIPTORS] = 1;
  assertEquals(await heard(await door.refuse(FRONTEND_FULL)), "");
  assertEquals(lingeringIn(door.memory), 1);
  door.engine[OUT_OF_DESCRIPTORS] = 0;
  door.lingering.giveWay();
  assertEquals(lingeringIn(door.memory), 0);
});

Deno.test("a bounded number of refused clients lingers, and who goes makes room", async () => {
  using door = new Door();
  for (let i = 0; i < MOST_LINGERING; i++) await door.refuse(FRONTEND_FULL);
  assertEquals(lingeringIn(door.memory), MOST_LINGERING);
  assertEquals(await heard(await door.refuse(FRONTEND_FULL)), "");
  for (const slot of [7, 0, MOST_LINGERING - 1]) door.lingering.end(slot);
  assertEquals(lingeringIn(door.memory), MOST_LINGERING - 3);
  assertEquals(await heard(await door.refuse(FRONTEND_FULL)), TEXT);
  door.lingering.giveWay();
  assertEquals(lingeringIn(door.memory), 0);
});

Deno.test("refused clients that linger give their slots to those who come", async () => {
  await using hole = await BlackHole.open();
  using worker = new WorkerByHand(hole.address, 4);
  const { loop, memory } = worker;
  const listening = worker.open();
  const listen = () =>
    loop.listen([{ ...specOf(listening, 0), maxConnections: 1, refusalText: refusalText() }]);
  const clients: Deno.TcpConn[] = [];
  const come = async (count: number) => {
    for (let i = 0; i < count; i++) clients.push(await connectTo(portOf([listening.bound])));
    loop.hold([0]);
    listen();
  };
  worker.publish(0);
  listen();
  await come(1 + 3);
  assertEquals([memory.counters[REFUSED], lingeringIn(memory)], [3, 3]);
  // All slots are taken: none of the six waits for one.
  await come(6);
  assertEquals([memory.counters[REFUSED], lingeringIn(memory)], [9, 3]);
  loop.cut();
  assertEquals(lingeringIn(memory), 0);
  for (const client of clients) client.close();
});
