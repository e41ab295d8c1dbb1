// Every probe had its pool weighed, although nearly all of them say what the one before it said: with 512
// backends that was two thirds of the control plane's work while nobody logged in.

import { assert } from "@std/assert";
import { PoolController } from "../../lib/app/pool_controller.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { waitFor } from "../support/wait_for.ts";
import { poolConfig } from "../support/pool_config.ts";

const QUIET = { error() {}, warning() {}, info() {}, debug() {} };

Deno.test("a probe that tells nothing new lets no pool be weighed", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let probes = 0;
  const accepting = (async () => {
    for await (const conn of listener) {
      probes++;
      conn.close();
    }
  })();
  const config = poolConfig({
    backends: [`127.0.0.1:${listener.addr.port}`],
    load: { source: "none" },
    health: { probe: "tcp" },
  });
  let weighed = 0;
  await using controller = new PoolController(
    { ...config, health: { ...config.health, intervalMs: 10 } },
    {
      clock: SYSTEM_CLOCK,
      random: Math.random,
      log: QUIET,
      createLoadSource: () => undefined,
      resolve: () => Promise.resolve({ ok: true, value: [] }),
      alreadyResolved: () => true,
      publish: () => {},
      weighed: () => weighed++,
    },
  );
  await controller.prepare();
  await controller.start();
  await waitFor("the backend to be up", () => controller.pool.members[0]?.health.state === "up");
  const before = { probes, weighed, atMs: performance.now() };
  await waitFor("100 probes", () => probes >= before.probes + 100);
  // Once a second it is weighed anyway.
  const ticks = Math.ceil((performance.now() - before.atMs) / 1000) + 1;
  assert(weighed - before.weighed <= ticks, `weighed ${weighed - before.weighed} times`);
  listener.close();
  await accepting.catch(() => {});
});
