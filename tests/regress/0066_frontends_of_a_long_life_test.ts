// After 1,024 different names of frontends in the engine's life, every reload with a new name was refused,
// though one frontend stood.

import { assertEquals } from "@std/assert";
import { MAX_FRONTENDS } from "../../lib/engine/splice/layout.ts";
import {
  connectTo,
  EngineFixture,
  frontendOf,
  planOf,
  portOf,
} from "../conformance/engine_fixture.ts";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { receive, send } from "../support/bytes.ts";
import { makeSpliceEngine } from "../support/splice_engine.ts";

Deno.test("names of frontends that have gone make room for others", async () => {
  await using backend = new TcpPeer(echo);
  await using fixture = new EngineFixture(makeSpliceEngine());
  const { engine } = fixture;
  const port = await fixture.listen(planOf([backend.address]), { name: "f0" });
  using before = await connectTo(port);
  await send(before, "x");
  assertEquals(await receive(before, 1), "x");
  let last = 0;
  for (let n = 1; n <= MAX_FRONTENDS + 10; n++) {
    const bound = await engine.start([frontendOf({ name: `f${n}` })]);
    last = portOf(bound.get(`f${n}`));
  }
  using after = await connectTo(last);
  await send(after, "y");
  assertEquals(await receive(after, 1), "y");
  // Whoever still stands keeps the name, and is counted as its own.
  const { activeByFrontend } = engine.counters();
  assertEquals([activeByFrontend.get("f0"), activeByFrontend.get(`f${MAX_FRONTENDS + 10}`)], [
    1,
    1,
  ]);
  before.close();
  assertEquals((await fixture.nth("closed")).frontend, "f0");
});
