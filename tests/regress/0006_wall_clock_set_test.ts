// Setting the wall clock forward ended every session with idle_timeout.

import { assertEquals } from "@std/assert";
import { PortableEngine } from "../../lib/engine/portable/portable_engine.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { connectTo, EngineFixture, planOf } from "../conformance/engine_fixture.ts";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { receive, send } from "../support/bytes.ts";

Deno.test("a wall clock that is set does not end sessions", async () => {
  let stepMs = 0;
  const clock = { ...SYSTEM_CLOCK, wall: () => Date.now() + stepMs };
  const engine = new PortableEngine({ clock, random: Math.random, bufferBytes: 65_536 });
  await using fixture = new EngineFixture(engine);
  await using peer = new TcpPeer(echo);
  const port = await fixture.listen(planOf([peer.address]), { idleTimeoutMs: 1_800_000 });
  using client = await connectTo(port);
  await send(client, "a");
  await receive(client, 1);
  stepMs = 3_600_000;
  // Longer than the engine's tick.
  await new Promise((resolve) => setTimeout(resolve, 600));
  await send(client, "b");
  assertEquals(await receive(client, 1), "b");
});

Deno.test("the system's clock goes on at its own pace, near the wall clock's count", () => {
  const before = SYSTEM_CLOCK.now();
  assertEquals(Math.abs(before - Date.now()) < 60_000, true);
  assertEquals(SYSTEM_CLOCK.now() >= before, true);
});
