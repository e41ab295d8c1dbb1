// INT did not end a balancer that was connecting for a client before the connect's own deadline.

import { assert, assertEquals } from "@std/assert";
import { BlackHole } from "../peers/black_hole.ts";
import { Balancer } from "../support/balancer.ts";
import { waitFor } from "../support/wait_for.ts";

for (const engine of ["portable", "splice"]) {
  Deno.test(`${engine}: INT ends a balancer that is still connecting`, async () => {
    await using hole = await BlackHole.open();
    await using balancer = await Balancer.start({
      config: JSON.stringify({
        frontends: { f: { listen: "127.0.0.1:0" } },
        pools: {
          p: {
            backends: [hole.address],
            connect: { timeout: "30s" },
            load: { source: "none" },
            health: { probe: "none" },
          },
        },
      }),
      flags: ["--engine", engine],
    });
    using _client = await Deno.connect({ hostname: "127.0.0.1", port: await balancer.port("f") });
    await waitFor(
      "the client to be on its way",
      async () => (await balancer.status()).pools[0]?.backends[0]?.active === 1,
    );
    const started = performance.now();
    balancer.signal("SIGINT");
    assertEquals(await balancer.end(), 0);
    assert(performance.now() - started < 10_000);
  });
}
