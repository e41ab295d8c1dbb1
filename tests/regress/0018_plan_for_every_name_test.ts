// When many named backends joined, each name that was found made a plan of the whole pool, for every worker
// to take in: with 512 of them, 512 plans of 512 rows.

import { assert, assertEquals } from "@std/assert";
import { PoolKeeper } from "../../lib/app/pool_keeper.ts";
import { readConfig } from "../../lib/config/read_config.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";

const QUIET = { error() {}, warning() {}, info() {}, debug() {} };
const BACKENDS = 50;

Deno.test("the names of backends that join make one plan", async () => {
  const text = JSON.stringify({
    frontends: { f: { listen: "127.0.0.1:0" } },
    pools: {
      p: {
        backends: Array.from({ length: BACKENDS }, (_, index) => `b${index}:22`),
        load: { source: "none" },
        health: { probe: "none" },
      },
    },
  });
  const read = readConfig({ file: { path: "lb.conf", text } });
  assert(read.ok);
  const [config] = read.config.pools;
  assert(config !== undefined);
  let plans = 0;
  let delayMs = 0;
  await using keeper = new PoolKeeper(config, {
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
  await keeper.prepare();
  assertEquals(
    keeper.pool.members.filter(({ addresses }) => addresses.length > 0).length,
    BACKENDS,
  );
  assertEquals(plans, 1);
});
