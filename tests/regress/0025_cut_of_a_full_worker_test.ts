// At the end of a drain, a worker whose records were all in use left the clients in its handoff where they were,
// ended its sessions, and then took them: they went on after the cut, and the drain waited for them.

import { assertEquals } from "@std/assert";
import { parseBackendAddress } from "../../lib/core/values/address.ts";
import { PickTable } from "../../lib/core/pick/pick_table.ts";
import { Plan } from "../../lib/engine/splice/plan.ts";
import { HandoffQueue } from "../../lib/engine/splice/handoff_queue.ts";
import {
  allocateEngineMemory,
  allocateWorkerMemory,
  FRONTEND_ACTIVE,
  WORKER_LOAD,
} from "../../lib/engine/splice/layout.ts";
import {
  AF_INET,
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  EPOLL_CLOEXEC,
  openLibc,
  SOCK_CLOEXEC,
  SOCK_STREAM,
} from "../../lib/engine/splice/libc.ts";
import { Loop } from "../../lib/engine/splice/loop.ts";
import { SOCKADDR_BYTES } from "../../lib/engine/splice/sockaddr.ts";
import { SocketMaker } from "../../lib/engine/splice/sockets.ts";
import { connectTo } from "../conformance/engine_fixture.ts";
import { BlackHole } from "../peers/black_hole.ts";
import { KEEPALIVE } from "../support/splice_engine.ts";
import { addRow } from "../support/tables.ts";

Deno.test("a cut ends the clients in a worker's handoff, too, when its records are all in use", async () => {
  await using hole = await BlackHole.open();
  const libc = openLibc();
  const maker = new SocketMaker(libc, KEEPALIVE);
  const listening = maker.listen({ transport: "tcp", host: "127.0.0.1", port: 0 });
  const epollFd = libc.calls.epoll_create1(EPOLL_CLOEXEC);
  const wakeFd = libc.calls.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  const memory = allocateWorkerMemory(1);
  const engine = allocateEngineMemory();
  const handoff = HandoffQueue.allocate();
  const loop = new Loop(libc, {
    memory,
    engine,
    epollFd,
    number: 0,
    handoffs: [handoff],
    wakeFds: [wakeFd],
    keepalive: KEEPALIVE,
    originMs: performance.timeOrigin,
  }, () => {});
  const table = PickTable.allocate(1);
  addRow(table, new Set(), {});
  const address = parseBackendAddress(hole.address);
  const sockaddr = address.ok ? maker.sockaddr(address.value) : undefined;
  loop.listeners.publish(
    0,
    new Plan({
      id: 0,
      pool: 0,
      table: table.buffer,
      rows: [[sockaddr]],
      connectTimeoutMs: 60_000,
      connectRetries: 0,
    }),
  );
  const spec = {
    id: 0,
    fd: listening.fd,
    frontend: 0,
    pools: [0],
    maxConnections: 0,
    idleTimeoutMs: 0,
    unix: false,
  };
  loop.listen([spec]);
  using _client = await connectTo(listening.bound.transport === "tcp" ? listening.bound.port : 0);
  // What is queued is taken; it takes the only record, on its way to the backend.
  loop.hold([0]);
  loop.listen([]);
  assertEquals(engine[WORKER_LOAD], 1);
  const second = libc.calls.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  new HandoffQueue(handoff).put(second, 0, 0, new Int32Array(SOCKADDR_BYTES / 4));
  Atomics.add(engine, WORKER_LOAD, 1);
  Atomics.add(engine, FRONTEND_ACTIVE, 1);
  loop.cut();
  assertEquals([engine[WORKER_LOAD], engine[FRONTEND_ACTIVE]], [0, 0]);
  loop.end();
  maker.close(listening);
  for (const fd of [wakeFd, epollFd]) libc.calls.close(fd);
  libc.close();
});
