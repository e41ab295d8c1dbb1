// Where sessions held every planId for plans (each change of an address makes a plan), the next change threw out
// of a microtask: the process ended, and with it all sessions.

import { assert, assertEquals } from "@std/assert";
import { PoolController } from "../../lib/app/pool_controller.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { poolConfig } from "../support/pool_config.ts";

const poolOf = (backend: string) =>
  poolConfig({ backends: [backend], load: { source: "none" }, health: { probe: "none" } });

Deno.test("a plan that the engine cannot take is told once, and tried again", async () => {
  let full = false;
  const published: (string | undefined)[] = [];
  const errors: string[] = [];
  await using controller = new PoolController(poolOf("127.0.0.1:1"), {
    clock: SYSTEM_CLOCK,
    random: Math.random,
    log: { error: (text) => errors.push(text), warning() {}, info() {}, debug() {} },
    createLoadSource: () => undefined,
    resolve: (address) => Promise.resolve({ ok: true, value: [address] }),
    alreadyResolved: () => true,
    publish: ({ endpoints }) => {
      if (full) throw new RangeError("Cannot publish a plan: 4096 are in use");
      published.push(endpoints.at(-1)?.backend);
    },
    weighed: () => {},
  });
  await controller.prepare();
  full = true;
  await controller.reconfigure(poolOf("127.0.0.1:2"));
  await controller.reconfigure(poolOf("127.0.0.1:2"));
  assertEquals(errors.length, 1);
  assert(errors[0]?.includes("4096 are in use"), errors[0]);
  full = false;
  await controller.reconfigure(poolOf("127.0.0.1:2"));
  assertEquals(published, ["127.0.0.1:1", "127.0.0.1:2"]);
});
