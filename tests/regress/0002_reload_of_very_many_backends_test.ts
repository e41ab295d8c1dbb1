// A reload that replaced more backends than the table has rows for ended the process, and every session.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { Sessions } from "../support/sessions.ts";

function configOf(first: string, count: number, firstPort = 1): string {
  const others = Array.from({ length: count }, (_, index) => `127.0.0.1:${firstPort + index}`);
  return JSON.stringify({
    frontends: { f: { listen: "127.0.0.1:0" } },
    pools: {
      p: { backends: [first, ...others], load: { source: "none" }, health: { probe: "none" } },
    },
  });
}

Deno.test("a reload for which the table has no rows is refused, and nothing is lost", async () => {
  await using peer = new TcpPeer(echo);
  await using balancer = await Balancer.start({ config: configOf(peer.address, 0) });
  using sessions = await Sessions.open(await balancer.port("f"), 3);
  for (const firstPort of [1, 1001]) {
    const outcome = await balancer.reload(configOf(peer.address, 500, firstPort));
    assertEquals(outcome.event, "reloaded");
  }
  const third = await balancer.reload(configOf(peer.address, 500, 2001));
  assertEquals(third.event, "reload_refused");
  assertStringIncludes(String(third.message), "no room");
  await sessions.exchange("still here");
  // And the balancer takes orders as before.
  assertEquals((await balancer.reload(configOf(peer.address, 10, 1001))).event, "reloaded");
});
