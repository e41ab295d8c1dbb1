// A worker that had not run for longer than connect.timeout took backends that had accepted meanwhile for ones
// that had not: it looked at its deadlines first, and three such failures take a backend down.

import { assertEquals } from "@std/assert";
import { ACTIVE } from "../../lib/core/pick/pick_table.ts";
import { connectTo, EngineFixture, planOf } from "../conformance/engine_fixture.ts";
import { BlackHole } from "../peers/black_hole.ts";
import { echo } from "../peers/tcp_peer.ts";
import { receive, send } from "../support/bytes.ts";
import { FAULTY_WORKER_URL, makeSpliceEngine } from "../support/splice_engine.ts";
import { waitFor } from "../support/wait_for.ts";

const FAULT = "COMPUTE_LB_TEST_FAULT";
/** The kernel sends a SYN that was dropped again after 1 s. */
const STANDSTILL_MS = 2500;
const TIMEOUT_MS = 2000;

Deno.test("a backend that accepted while the worker stood still has accepted", async () => {
  await using hole = await BlackHole.open();
  await using fixture = new EngineFixture(
    makeSpliceEngine({ workerUrl: FAULTY_WORKER_URL, workers: 1 }),
  );
  const plan = planOf([hole.address], { retries: 0, connectTimeoutMs: TIMEOUT_MS });
  const port = await fixture.listen(plan);
  using client = await connectTo(port);
  await waitFor("the client to be on its way", () => plan.table.read(0, ACTIVE) === 1);
  Deno.env.set(FAULT, "hang");
  let serving: Promise<void> | undefined;
  try {
    // Wakes it, so that it stands still from now on.
    fixture.engine.publish("q", planOf([]));
    serving = hole.serve(echo);
    await new Promise((resolve) => setTimeout(resolve, STANDSTILL_MS));
  } finally {
    Deno.env.delete(FAULT);
  }
  await send(client, "x");
  assertEquals(await receive(client, 1), "x");
  assertEquals(fixture.of("connect_failed"), []);
  client.close();
  await fixture.nth("closed");
  await hole[Symbol.asyncDispose]();
  await serving;
});
