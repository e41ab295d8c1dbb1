// A pool that a reload took away left the log and status without a word, with its sessions still on.

import { assertEquals } from "@std/assert";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { receive } from "../support/bytes.ts";

Deno.test("a pool that is no longer configured is said to be, and its sessions go on", async () => {
  await using peer = new TcpPeer(greetThenEcho("hello"));
  const config = (name: string) =>
    JSON.stringify({
      frontends: { f: { listen: "127.0.0.1:0", pool: name } },
      pools: { [name]: { backends: [peer.address], load: { source: "none" } } },
    });
  await using balancer = await Balancer.start({ config: config("old") });
  using client = await Deno.connect({ hostname: "127.0.0.1", port: await balancer.port("f") });
  assertEquals(await receive(client, 5), "hello");
  assertEquals((await balancer.reload(config("new"))).event, "reloaded");
  await balancer.logged("old: is no longer configured, its sessions go on");
  await client.write(new TextEncoder().encode("still"));
  assertEquals(await receive(client, 5), "still");
});
