// A reload that replaced all backends of a pool took the old ones out before it looked up the names of the
// new ones: for as long as that took, up to two seconds, every client was refused.

import { assertEquals } from "@std/assert";
import { PoolController } from "../../lib/app/pool_controller.ts";
import { ELIGIBLE } from "../../lib/core/pick/pick_table.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { poolConfig } from "../support/pool_config.ts";

const QUIET = { error() {}, warning() {}, info() {}, debug() {} };

const poolOf = (backend: string) =>
  poolConfig({ backends: [backend], load: { source: "none" }, health: { probe: "none" } });

Deno.test("backends serve until the names of those that replace them are found", async () => {
  const found = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const published: (string | undefined)[][] = [];
  await using controller = new PoolController(poolOf("old:22"), {
    clock: SYSTEM_CLOCK,
    random: Math.random,
    log: QUIET,
    createLoadSource: () => undefined,
    resolve: async (address) => {
      if (address.transport === "tcp" && address.host === "new") {
        asked.resolve();
        await found.promise;
      }
      return { ok: true, value: [address] };
    },
    alreadyResolved: () => false,
    publish: ({ endpoints }) => published.push(endpoints.map((endpoint) => endpoint?.backend)),
    weighed: () => {},
  });
  const { table } = controller.pool;
  const eligible = () => [0, 1].filter((row) => table.read(row, ELIGIBLE) !== 0);
  await controller.prepare();
  const reconfigured = controller.reconfigure(poolOf("new:22"));
  await asked.promise;
  assertEquals([eligible(), published], [[0], [["old:22"]]]);
  found.resolve();
  await reconfigured;
  assertEquals([eligible(), published], [[1], [["old:22"], [undefined, "new:22"]]]);
});
