// A backend that an exec source had called OFFLINE stayed out for ever when the source was taken away.

import { assertEquals } from "@std/assert";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { receive } from "../support/bytes.ts";

function configOf(address: string, load: object): string {
  return JSON.stringify({
    frontends: { f: { listen: "127.0.0.1:0" } },
    pools: { p: { backends: [address], load } },
  });
}

Deno.test("OFFLINE goes with the source that said it", async () => {
  await using peer = new TcpPeer(greetThenEcho("x"));
  const exec = {
    source: "exec",
    interval: "200ms",
    exec: { command: ["/bin/sh", "-c", "echo OFFLINE"] },
  };
  await using balancer = await Balancer.start({ config: configOf(peer.address, exec) });
  await balancer.until("the hold", ({ pools }) => pools[0]?.backends[0]?.usable === false);
  assertEquals(
    (await balancer.reload(configOf(peer.address, { source: "none" }))).event,
    "reloaded",
  );
  await balancer.until("the release", ({ pools }) => pools[0]?.backends[0]?.usable === true);
  using client = await Deno.connect({ hostname: "127.0.0.1", port: await balancer.port("f") });
  assertEquals(await receive(client, 1), "x");
});

Deno.test("OFFLINE is believed no longer than max_age", async () => {
  await using peer = new TcpPeer(greetThenEcho("x"));
  const flag = await Deno.makeTempFile();
  const load = {
    source: "exec",
    interval: "200ms",
    max_age: "1s",
    exec: { command: ["/bin/sh", "-c", `test -e ${flag} && echo OFFLINE`] },
  };
  await using balancer = await Balancer.start({ config: configOf(peer.address, load) });
  await balancer.until("the hold", ({ pools }) => pools[0]?.backends[0]?.usable === false);
  await Deno.remove(flag);
  await balancer.until("the release", ({ pools }) => pools[0]?.backends[0]?.usable === true);
});
