// When many named backends joined, each name that was found made a plan of the whole pool, for every worker
// to take in: with 512 of them, 512 plans of 512 rows.

import { assertEquals } from "@std/assert";
import { PoolController } from "../../lib/app/pool_controller.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { poolConfig } from "../support/pool_config.ts";

const QUIET = { error() {}, warning() {}, info() {}, debug() {} };
const BACKENDS = 50;

Deno.test("the names of backends that join make one plan", async () => {
  const config = poolConfig({
    backends: Array.from({ length: BACKENDS }, (_, index) => `b${index}:22`),
    load: { source: "none" },
    health: { probe: "none" },
  });
  let plans = 0;
  let delayMs = 0;
  await using controller = new PoolController(config, {
    clock: SYSTEM_CLOCK,
    random: Math.random,
    log: QUIET,
    createLoadSource: () => undefined,
    resolve: async (address, signal) => {
      await SYSTEM_CLOCK.sleep(++delayMs, signal);
      return { ok: true, value: [address] };
    },
    alreadyResolved: () => false,
    publish: () => plans++,
    weighed: () => {},
  });
  await controller.prepare();
  assertEquals(
    controller.pool.members.filter(({ addresses }) => addresses.length > 0).length,
    BACKENDS,
  );
  assertEquals(plans, 1);
});
