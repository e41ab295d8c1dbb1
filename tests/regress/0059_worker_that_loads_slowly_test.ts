// A worker that was still loading its modules after 10 s was taken for one that hangs, which ended the
// process, although it is given 30 s to start.

import { assertEquals } from "@std/assert";
import { EngineFixture, planOf } from "../conformance/engine_fixture.ts";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { receive } from "../support/bytes.ts";
import { makeSpliceEngine } from "../support/splice_engine.ts";

Deno.test({
  name: "a worker that loads for longer than one may hang is waited for",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const fatal: string[] = [];
    await using backend = new TcpPeer(greetThenEcho("hello"));
    await using fixture = new EngineFixture(makeSpliceEngine({
      workerUrl: new URL("../support/slow_worker.ts", import.meta.url),
      onFatal: (message) => fatal.push(message),
      watch: { intervalMs: 500, misses: 5 },
    }));
    const port = await fixture.listen(planOf([backend.address]));
    using client = await Deno.connect({ hostname: "127.0.0.1", port });
    assertEquals(await receive(client, 5), "hello");
    assertEquals(fatal, []);
  },
});
