// Probes and connects that failed because this process had no descriptor left took every backend down, and
// the next clients were refused; so did load sources that could not be asked.

import { assert, assertEquals } from "@std/assert";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { configOf } from "../support/running_config.ts";
import { Sessions } from "../support/sessions.ts";

const CLIENTS = 120;
const ROUNDS_MS = 1500;

for (const engine of ["splice", "portable"]) {
  Deno.test(`${engine}: our own lack of descriptors is no backend's fault`, async () => {
    await using a = new TcpPeer(echo);
    await using b = new TcpPeer(echo);
    await using balancer = await Balancer.start({
      config: configOf([a.address, b.address])
        .replace("strategy:", "connect: { timeout: 300ms }\n    strategy:")
        .replace(
          "source: none",
          'source: exec, interval: 500ms, exec: { command: [sh, -c, "echo 1 4"] }',
        ),
      flags: ["--engine", engine],
      prefix: ["prlimit", "--nofile=96:96"],
    });
    const port = await balancer.port("echo");
    await balancer.until(
      "both backends to be known",
      ({ pools }) =>
        pools.every(({ backends }) =>
          backends.every(({ state, load1 }) => state === "up" && load1 !== null)
        ),
    );
    const before = balancer.log.length;
    const clients: Deno.TcpConn[] = [];
    try {
      while (clients.length < CLIENTS) {
        clients.push(await Deno.connect({ hostname: "127.0.0.1", port }));
      }
      await balancer.logged("cannot accept");
      // Time for some rounds of probes and samples to fail.
      await new Promise((resolve) => setTimeout(resolve, ROUNDS_MS));
    } finally {
      for (const client of clients) client.close();
    }
    await balancer.until("the sessions to end", ({ counters }) => counters.active === 0);
    using sessions = await Sessions.open(port, 10);
    await sessions.exchange("after the drought");
    const { pools, counters } = await balancer.status();
    for (const backend of pools[0]?.backends ?? []) {
      assertEquals([backend.state, backend.connectFailures], ["up", 0]);
    }
    assertEquals(counters.connectFailures, 0);
    const said = balancer.log.slice(before).map(({ message }) => String(message));
    assert(
      !said.some((text) => /is down|in a row|does not report|cannot connect to \S+ for/.test(text)),
      said.join("\n"),
    );
    assertEquals(said.filter((text) => text.includes("cannot accept")).length, 1);
    assertEquals(said.filter((text) => text.includes("cannot ask")).length, 1);
  });
}
