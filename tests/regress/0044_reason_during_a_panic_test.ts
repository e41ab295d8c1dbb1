// In a panic, status gave what the panic forgives as the reason why a backend gets nothing, instead of what
// keeps it out; and of one that is down with weight 0 it never said the latter, not even when what is down
// was tried as a last resort.

import { assertEquals } from "@std/assert";
import { PoolController } from "../../lib/app/pool_controller.ts";
import { NO_OVERRIDES } from "../../lib/core/administration/override.ts";
import { reportPool } from "../../lib/app/report.ts";
import { poolConfig } from "../support/pool_config.ts";
import { probe } from "../support/pools.ts";
import { ManualClock } from "../support/manual_clock.ts";

Deno.test("status tells what keeps a backend out, not what a panic forgives", async () => {
  const config = poolConfig({
    backends: ["192.0.2.1", { address: "192.0.2.2", weight: 0 }],
    panic: { last_resort: true },
  });
  const clock = new ManualClock();
  await using controller = new PoolController(config, {
    clock,
    random: () => 0.5,
    log: { error: () => {}, warning: () => {}, info: () => {}, debug: () => {} },
    createLoadSource: () => undefined,
    resolve: (address) => Promise.resolve({ ok: true, value: [address] }),
    alreadyResolved: () => true,
    publish: () => {},
    weighed: () => {},
  });
  await controller.prepare();
  const { pool, resilience } = controller;
  const reasons = () => {
    resilience.settle(clock.now());
    return reportPool(controller, [], NO_OVERRIDES, clock.now(), clock.wall()).backends.map((
      { reason },
    ) => reason);
  };
  for (const { backend: { id } } of pool.members) probe(pool, id, true);
  pool.hold("192.0.2.1:22", "outlier", "its connects fail", 0);
  assertEquals(reasons(), ["its connects fail", "its weight is 0"]);
  assertEquals([...pool.forgiven], ["outlier"]);
  pool.hold("192.0.2.1:22", "agent", "its agent says drain", 0);
  pool.setForgiven(new Set(["outlier"]));
  const { backends: [first] } = reportPool(controller, [], NO_OVERRIDES, clock.now(), clock.wall());
  assertEquals(first?.reason, "its agent says drain");
  probe(pool, "192.0.2.2:22", false);
  assertEquals(reasons(), ["its connects fail", "nobody there; and its weight is 0"]);
});
