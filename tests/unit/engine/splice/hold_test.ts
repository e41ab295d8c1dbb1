// A worker's loop between two configurations, driven by hand.

import { assertEquals } from "@std/assert";
import { parseBackendAddress } from "../../../../lib/core/values/address.ts";
import { PickTable } from "../../../../lib/core/pick/pick_table.ts";
import { Plan } from "../../../../lib/engine/splice/plan.ts";
import { HandoffQueue } from "../../../../lib/engine/splice/handoff_queue.ts";
import {
  allocateEngineMemory,
  allocateWorkerMemory,
  PLAN,
  TUNNEL_WORDS,
  WORKER_LOAD,
} from "../../../../lib/engine/splice/layout.ts";
import {
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  EPOLL_CLOEXEC,
  openLibc,
} from "../../../../lib/engine/splice/libc.ts";
import { Loop } from "../../../../lib/engine/splice/loop.ts";
import { SocketMaker } from "../../../../lib/engine/splice/sockets.ts";
import { connectTo, portOf } from "../../../conformance/engine_fixture.ts";
import { BlackHole } from "../../../peers/black_hole.ts";
import { KEEPALIVE } from "../../../support/splice_engine.ts";
import { addRow } from "../../../support/tables.ts";

Deno.test("clients of a listener that closes go by the plans of before, however late they come", async () => {
  await using hole = await BlackHole.open();
  const libc = openLibc();
  const maker = new SocketMaker(libc, KEEPALIVE);
  const [closing, staying] = [0, 1].map(() =>
    maker.listen({ transport: "tcp", host: "127.0.0.1", port: 0 })
  );
  if (closing === undefined || staying === undefined) throw new Error("Nothing listens");
  const epollFd = libc.calls.epoll_create1(EPOLL_CLOEXEC);
  const wakeFd = libc.calls.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  const memory = allocateWorkerMemory(8);
  const engine = allocateEngineMemory();
  const loop = new Loop(libc, {
    memory,
    engine,
    epollFd,
    number: 0,
    handoffs: [HandoffQueue.allocate()],
    wakeFds: [wakeFd],
    keepalive: KEEPALIVE,
    originMs: performance.timeOrigin,
  }, () => {});
  const table = PickTable.allocate(1);
  addRow(table, new Set(), {});
  const address = parseBackendAddress(hole.address);
  const rows = [[address.ok ? maker.sockaddr(address.value) : undefined]];
  const publish = (planId: number) =>
    loop.listeners.publish(
      0,
      new Plan({
        id: planId,
        pool: 0,
        table: table.buffer,
        rows,
        connectTimeoutMs: 60_000,
        connectRetries: 0,
      }),
    );
  const common = { frontend: 0, pools: [0], maxConnections: 0, idleTimeoutMs: 0, unix: false };
  const specs = [closing, staying].map(({ fd }, id) => ({ id, fd, ...common }));
  publish(0);
  loop.listen(specs);

  using _early = await connectTo(portOf([closing.bound]));
  using _other = await connectTo(portOf([staying.bound]));
  loop.hold([0]);
  assertEquals(engine[WORKER_LOAD], 1);
  using _late = await connectTo(portOf([closing.bound]));
  publish(1);
  loop.listen(specs.slice(1));
  const plans = [0, 1].map((slot) => memory.words[slot * TUNNEL_WORDS + PLAN]);
  assertEquals([engine[WORKER_LOAD], plans], [2, [0, 0]]);
  // Who waited at the other one has the new plan.
  loop.hold([1]);
  assertEquals([engine[WORKER_LOAD], memory.words[2 * TUNNEL_WORDS + PLAN]], [3, 1]);

  loop.cut();
  assertEquals(engine[WORKER_LOAD], 0);
  loop.end();
  for (const socket of [closing, staying]) maker.close(socket);
  for (const fd of [wakeFd, epollFd]) libc.calls.close(fd);
  libc.close();
});
