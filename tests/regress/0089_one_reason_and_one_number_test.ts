// A name that leads back to the balancer was down for having "no address", against what was said before;
// the warning of too few open files stood above the reason why a start failed, with two numbers for one limit.

import { assertEquals } from "@std/assert";
import { PoolController } from "../../lib/app/pool_controller.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { Balancer } from "../support/balancer.ts";
import { poolConfig } from "../support/pool_config.ts";
import { configOf } from "../support/running_config.ts";
import { waitFor } from "../support/wait_for.ts";

const QUIET = { error() {}, warning() {}, info() {}, debug() {} };

Deno.test("a name that leads back is down for that reason", async () => {
  const pool = poolConfig({
    backends: ["me:22"],
    load: { source: "none" },
    health: { probe: "tcp", interval: "100ms", fall: 1 },
  });
  await using controller = new PoolController(pool, {
    clock: SYSTEM_CLOCK,
    random: Math.random,
    log: QUIET,
    createLoadSource: () => undefined,
    resolve: () =>
      Promise.resolve({ ok: true, value: [{ transport: "tcp", host: "127.0.0.1", port: 22 }] }),
    alreadyResolved: () => false,
    frontendReached: () => "ssh",
    publish: () => {},
    weighed: () => {},
  });
  await controller.prepare();
  await controller.start();
  const member = () => controller.pool.members[0];
  await waitFor("a probe", () => member()?.health.state === "down");
  assertEquals(
    member()?.healthReason,
    "its name resolves to 127.0.0.1:22, where frontend ssh of this balancer itself listens",
  );
});

Deno.test("too low a limit on open files is told once it listens, with one number to set", async () => {
  const config = configOf(["127.0.0.1:1"], { frontend: ", max_connections: 1000000" });
  await using balancer = await Balancer.start({ config });
  const messages = balancer.log.map(({ message }) => String(message));
  const told = messages.findIndex((text) => text.includes("limit on open files"));
  assertEquals(messages.findIndex((text) => text.includes("listens on")) < told, true);
  const numbers = new Set(messages[told]?.match(/(?<=raise it to |-n |NOFILE=)\d+/g));
  assertEquals(numbers.size, 1, messages[told]);
});
