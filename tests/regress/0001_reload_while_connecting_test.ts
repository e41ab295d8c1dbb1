// A client waited for a connect while a reload added more backends than a search remembers. The search went
// on by the old plan, knew none of the new rows, and never ended: the whole process stood still.

import { assertEquals } from "@std/assert";
import { BlackHole } from "../peers/black_hole.ts";
import { Balancer } from "../support/balancer.ts";
import { readAll } from "../support/bytes.ts";
import { waitFor, within } from "../support/wait_for.ts";

function configOf(backends: readonly string[]): string {
  return JSON.stringify({
    frontends: { f: { listen: "127.0.0.1:0" } },
    pools: {
      p: {
        backends,
        connect: { timeout: "1500ms" },
        load: { source: "none" },
        health: { probe: "none" },
      },
    },
  });
}

for (const engine of ["portable", "splice"]) {
  Deno.test(`${engine}: a reload while a client is being connected does not stop the process`, async () => {
    await using hole = await BlackHole.open();
    await using balancer = await Balancer.start({
      config: configOf([hole.address]),
      flags: ["--engine", engine],
    });
    using client = await Deno.connect({ hostname: "127.0.0.1", port: await balancer.port("f") });
    await waitFor(
      "the client to be on its way",
      async () => (await balancer.status()).pools[0]?.backends[0]?.active === 1,
    );
    // Ports on which nobody listens: all refuse at once.
    const many = Array.from({ length: 40 }, (_, index) => `127.0.0.1:${index + 1}`);
    assertEquals((await balancer.reload(configOf([hole.address, ...many]))).event, "reloaded");
    assertEquals((await within("the client's end", readAll(client))).length, 0);
    assertEquals((await balancer.status()).counters.active, 0);
  });
}
