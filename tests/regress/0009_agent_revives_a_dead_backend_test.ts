// HAProxy's issue 1176: an agent that says "ready up" called a server up that the health check had just
// found dead. Health beats everything here: an agent can hold a backend back, never revive it.

import { assertEquals } from "@std/assert";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { receive } from "../support/bytes.ts";
import { waitFor } from "../support/wait_for.ts";

Deno.test("an agent that says ready and up does not revive a backend that is down", async () => {
  await using agent = new TcpPeer(async (conn) => {
    await conn.write(new TextEncoder().encode("100% ready up\n"));
  });
  await using dead = new TcpPeer(greetThenEcho("dead"));
  await using alive = new TcpPeer(greetThenEcho("alive"));
  const config = JSON.stringify({
    frontends: { f: { listen: "127.0.0.1:0" } },
    pools: {
      p: {
        strategy: "round_robin",
        connect: { retries: 0 },
        backends: [dead, alive].map(({ address }) => ({ address, load_address: agent.address })),
        load: { source: "agent", interval: "100ms", timeout: "100ms" },
        health: { interval: "100ms", timeout: "100ms", rise: 1, fall: 1 },
      },
    },
  });
  await using balancer = await Balancer.start({ config });
  await balancer.until(
    "both to be up",
    ({ pools }) =>
      pools[0]?.backends.every(({ state, agent }) => state === "up" && agent !== null) === true,
  );
  const { port } = dead;
  await dead.refuse();
  await balancer.until("it to be down", ({ pools }) => pools[0]?.backends[0]?.state === "down");
  const answers = agent.accepted;
  await waitFor("more answers of the agent", () => agent.accepted >= answers + 6);
  const report = await balancer.status();
  const backend = report.pools[0]?.backends[0];
  assertEquals([backend?.state, backend?.usable, backend?.agent], [
    "down",
    false,
    "100%, ready, up",
  ]);
  for (let i = 0; i < 4; i++) {
    using client = await Deno.connect({ hostname: "127.0.0.1", port: await balancer.port("f") });
    assertEquals(await receive(client, 5), "alive");
  }
  // What makes it up again is a probe.
  await using _again = new TcpPeer(greetThenEcho("again"), { port });
  await balancer.until("it to be up", ({ pools }) => pools[0]?.backends[0]?.usable === true);
});
