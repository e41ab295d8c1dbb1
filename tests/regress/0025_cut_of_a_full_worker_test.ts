// At the end of a drain, a worker whose records were all in use left the clients in its handoff where they were,
// ended its sessions, and then took them: they went on after the cut, and the drain waited for them.

import { assertEquals } from "@std/assert";
import { HandoffQueue } from "../../lib/engine/splice/handoff_queue.ts";
import { FRONTEND_ACTIVE, WORKER_LOAD } from "../../lib/engine/splice/layout.ts";
import { AF_INET, SOCK_CLOEXEC, SOCK_STREAM } from "../../lib/engine/splice/libc.ts";
import { SOCKADDR_BYTES } from "../../lib/engine/splice/sockaddr.ts";
import { connectTo, portOf } from "../conformance/engine_fixture.ts";
import { BlackHole } from "../peers/black_hole.ts";
import { specOf, WorkerByHand } from "../support/worker_by_hand.ts";

Deno.test("a cut ends the clients in a worker's handoff, too, when its records are all in use", async () => {
  await using hole = await BlackHole.open();
  using worker = new WorkerByHand(hole.address, 1);
  const { loop, engine, libc } = worker;
  const listening = worker.open();
  worker.publish(0);
  loop.listen([specOf(listening, 0)]);
  using _client = await connectTo(portOf([listening.bound]));
  // What is queued is taken; it takes the only record, on its way to the backend.
  loop.hold([0]);
  loop.listen([]);
  assertEquals(engine[WORKER_LOAD], 1);
  const second = libc.calls.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  new HandoffQueue(worker.handoff).put(second, 0, 0, 0, new Int32Array(SOCKADDR_BYTES / 4));
  Atomics.add(engine, WORKER_LOAD, 1);
  Atomics.add(engine, FRONTEND_ACTIVE, 1);
  loop.cut();
  assertEquals([engine[WORKER_LOAD], engine[FRONTEND_ACTIVE]], [0, 0]);
});
