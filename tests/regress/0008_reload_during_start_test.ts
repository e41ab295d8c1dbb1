// HUP in the first moments, before the balancer was ready, ended it.

import { assertEquals } from "@std/assert";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { waitFor } from "../support/wait_for.ts";

Deno.test("a reload that is ordered during the start is carried out after it", async () => {
  await using peer = new TcpPeer(greetThenEcho("x"));
  await using balancer = await Balancer.spawn({
    config: JSON.stringify({
      frontends: { f: { listen: "127.0.0.1:0" } },
      // A name that does not resolve holds the start up.
      pools: {
        p: { backends: [peer.address, "no-such-host.invalid:22"], load: { source: "none" } },
      },
    }),
  });
  await waitFor("its first line", () => balancer.log.length > 0);
  balancer.signal("SIGHUP");
  await balancer.logged("reloaded");
  assertEquals(balancer.ended, false);
});
