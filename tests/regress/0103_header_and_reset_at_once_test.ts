// A client whose reset came with its PROXY header was told of once, before it was in the pool's queue (splice). There
// it stayed for all its time, and took a backend's place at its turn.

import { greeter } from "../support/greeters.ts";
import { Balancer } from "../support/balancer.ts";
import { receive, send } from "../support/bytes.ts";
import { connectResettable } from "../support/reset.ts";
import { configOf } from "../support/running_config.ts";

const HEADER = "PROXY TCP4 192.0.2.1 192.0.2.2 1 22\r\n";
const CLIENTS = 5;

for (const engine of ["splice", "portable"]) {
  Deno.test(`${engine}: a client that is reset behind its PROXY header does not wait`, async () => {
    await using backend = greeter(1);
    await using balancer = await Balancer.start({
      config: configOf([backend.address], {
        frontend: ", accept_proxy_from: [127.0.0.1]",
        placement: "queue: { timeout: 10m }",
      }).replace(
        JSON.stringify(backend.address),
        `{ address: "${backend.address}", max_connections: 1 }`,
      ),
      flags: ["--engine", engine],
    });
    const port = await balancer.port("echo");
    using session = await Deno.connect({ hostname: "127.0.0.1", port });
    await send(session, HEADER);
    await receive(session, 1);
    const gone = await Promise.all(Array.from({ length: CLIENTS }, () => connectResettable(port)));
    await balancer.until("all clients", ({ counters }) => counters.accepted === CLIENTS + 1);
    // The balancer sees both at once.
    balancer.signal("SIGSTOP");
    for (const one of gone) {
      await one.send(HEADER);
      await one.reset();
    }
    balancer.signal("SIGCONT");
    await balancer.until(
      "none who waits",
      ({ counters, pools }) => counters.refused === CLIENTS && pools[0]?.queue.waiting === 0,
    );
  });
}
