// A load that had been doubted because it never moved was doubted still when a reload had the backend asked
// by another source, from that one's first sample on, if it happened to say the same: 0.00 on an idle one.

import { assertEquals } from "@std/assert";
import { Resilience } from "../../lib/app/resilience.ts";
import { TOTAL } from "../../lib/core/pick/pick_table.ts";
import { poolConfig } from "../support/pool_config.ts";
import { runningPool } from "../support/pools.ts";

Deno.test("what is doubted of one load source is not doubted of the next", () => {
  const config = poolConfig({ backends: ["a"] });
  const pool = runningPool(["a"]);
  const resilience = new Resilience(pool, config);
  const sample = (takenAtMs: number) => {
    pool.observeLoad("a", { kind: "sample", sample: { load1: 0, takenAtMs } }, takenAtMs);
    resilience.observeLoad("a");
    return pool.member("a")?.loadDoubt !== undefined;
  };
  assertEquals(sample(0), false);
  pool.table.write(pool.member("a")?.row ?? 0, TOTAL, 1000);
  for (let nowMs = 10_000; nowMs < 180_000; nowMs += 10_000) sample(nowMs);
  assertEquals(sample(180_000), true);
  resilience.forgetLoad("a");
  assertEquals(sample(190_000), false);
});
