// A reload that gave a backend another load_address changed nothing for load source ssh, which went on
// asking the old place by the process that it had there; and of agents, what the one at the old place had
// said (drain) still held when the one at the new place said nothing of it.

import { assertEquals } from "@std/assert";
import { TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";

function configOf(address: string, loadAddress: string, source: string): string {
  return JSON.stringify({
    frontends: { f: { listen: "127.0.0.1:0" } },
    pools: {
      p: {
        backends: [{ address, load_address: loadAddress }],
        load: { source, interval: "200ms" },
        health: { probe: "none" },
      },
    },
  });
}

/** An agent that says one line to everybody. */
function agent(line: string): TcpPeer {
  return new TcpPeer(async (conn) => {
    await conn.write(new TextEncoder().encode(`${line}\n`));
  });
}

/** Answers as the loop on the backend would; the load depends on the host that it is called with. */
const SSH = `#!/bin/sh
while [ "$1" != -- ]; do shift; done
case $2 in one.example) load=1.25;; *) load=2.50;; esac
while read -r probe; do echo "compute-lb-load $probe 4 0 $load 0.00 0.00 1/100 1"; done
`;

Deno.test("ssh asks at the load_address that a reload has brought", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/ssh`, SSH, { mode: 0o755 });
  const config = (host: string) => configOf("127.0.0.1:9", host, "ssh");
  await using balancer = await Balancer.start({
    config: config("one.example"),
    env: { PATH: `${folder}:${Deno.env.get("PATH")}` },
    workingFolder: folder,
  });
  await balancer.until("a load", ({ pools }) => pools[0]?.backends[0]?.load1 === 1.25);
  assertEquals((await balancer.reload(config("two.example"))).event, "reloaded");
  await balancer.until("the other load", ({ pools }) => pools[0]?.backends[0]?.load1 === 2.5);
});

Deno.test("what an agent has said goes with the load_address at which it said it", async () => {
  await using old = agent("drain");
  await using fresh = agent("50%");
  const config = (place: string) => configOf("127.0.0.1:9", place, "agent");
  await using balancer = await Balancer.start({ config: config(old.address) });
  await balancer.until("the hold", ({ pools }) => pools[0]?.backends[0]?.usable === false);
  assertEquals((await balancer.reload(config(fresh.address))).event, "reloaded");
  await balancer.until("the release", ({ pools }) => pools[0]?.backends[0]?.usable === true);
});
