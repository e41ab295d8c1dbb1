// A worker that had not run for a while (the process was stopped, or the machine too busy) found its sessions
// idle by its clock before it looked what had come meanwhile: 227 of 300 busy ones were ended after SIGSTOP
// and SIGCONT.

import { assertEquals } from "@std/assert";
import { PortableEngine } from "../../lib/engine/portable/portable_engine.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { connectTo, EngineFixture, planOf } from "../conformance/engine_fixture.ts";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { receive, send } from "../support/bytes.ts";
import { FAULTY_WORKER_URL, makeSpliceEngine } from "../support/splice_engine.ts";

const FAULT = "COMPUTE_LB_TEST_FAULT";
const IDLE_MS = 1000;

Deno.test("splice: what came while a worker stood still keeps its session from being idle", async () => {
  await using backend = new TcpPeer(echo);
  await using fixture = new EngineFixture(
    makeSpliceEngine({ workerUrl: FAULTY_WORKER_URL, workers: 1 }),
  );
  const port = await fixture.listen(planOf([backend.address]), { idleTimeoutMs: IDLE_MS });
  using client = await connectTo(port);
  await send(client, "a");
  assertEquals(await receive(client, 1), "a");
  Deno.env.set(FAULT, "hang");
  try {
    // The stop itself: as long as it takes to be idle, and what is sent meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 2 * IDLE_MS));
    await send(client, "b");
  } finally {
    Deno.env.delete(FAULT);
  }
  assertEquals(await receive(client, 1), "b");
  assertEquals((await fixture.nth("closed")).reason, "idle_timeout");
});

Deno.test("portable: what came while the process stood still keeps its session from being idle", async () => {
  await using backend = new TcpPeer(echo);
  await using fixture = new EngineFixture(
    new PortableEngine({ clock: SYSTEM_CLOCK, random: Math.random, bufferBytes: 65_536 }),
  );
  const port = await fixture.listen(planOf([backend.address]), { idleTimeoutMs: IDLE_MS });
  using client = await connectTo(port);
  await send(client, "a");
  assertEquals(await receive(client, 1), "a");
  const sent = send(client, "b");
  for (const end = performance.now() + 2 * IDLE_MS; performance.now() < end;);
  await sent;
  assertEquals(await receive(client, 1), "b");
  assertEquals((await fixture.nth("closed")).reason, "idle_timeout");
});
