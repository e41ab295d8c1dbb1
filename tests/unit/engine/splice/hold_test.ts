// A worker's loop between two configurations, driven by hand.

import { assertEquals } from "@std/assert";
import { PLAN, TUNNEL_WORDS, WORKER_LOAD } from "../../../../lib/engine/splice/layout.ts";
import { connectTo, portOf } from "../../../conformance/engine_fixture.ts";
import { BlackHole } from "../../../peers/black_hole.ts";
import { specOf, WorkerByHand } from "../../../support/worker_by_hand.ts";

Deno.test("clients of a listener that closes go by the plans of before, however late they come", async () => {
  await using hole = await BlackHole.open();
  using worker = new WorkerByHand(hole.address, 8);
  const { loop, engine, memory } = worker;
  const [closing, staying] = [worker.open(), worker.open()];
  worker.publish(0);
  loop.listen([specOf(closing, 0), specOf(staying, 1)]);

  using _early = await connectTo(portOf([closing.bound]));
  using _other = await connectTo(portOf([staying.bound]));
  loop.hold([0]);
  assertEquals(engine[WORKER_LOAD], 1);
  using _late = await connectTo(portOf([closing.bound]));
  worker.publish(1);
  loop.listen([specOf(staying, 1)]);
  const plans = [0, 1].map((slot) => memory.words[slot * TUNNEL_WORDS + PLAN]);
  assertEquals([engine[WORKER_LOAD], plans], [2, [0, 0]]);
  // Who waited at the other one has the new plan.
  loop.hold([1]);
  assertEquals([engine[WORKER_LOAD], memory.words[2 * TUNNEL_WORDS + PLAN]], [3, 1]);

  loop.cut();
  assertEquals(engine[WORKER_LOAD], 0);
});
