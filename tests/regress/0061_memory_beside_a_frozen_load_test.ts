// A load average that stood still made the memory of the same samples unknown, too: a backend that was
// held back for lack of memory was let go.

import { assertEquals } from "@std/assert";
import { FrozenLoads } from "../../lib/core/watch/frozen_loads.ts";
import { Shortages } from "../../lib/core/watch/shortages.ts";
import { runningPool, texts, usableIn } from "../support/pools.ts";

Deno.test("a backend short of memory stays out although its load has stopped moving", () => {
  const pool = runningPool(["short", "well"]);
  const frozen = new FrozenLoads();
  const shortages = new Shortages({ memory: { minAvailable: { bytes: 1000 } }, pressure: {} });
  const told: string[] = [];
  for (let takenAtMs = 0; takenAtMs <= 300_000; takenAtMs += 10_000) {
    for (const [id, memory, load1] of [["short", 500, 0.37], ["well", 9000, 1]] as const) {
      // Only "well" has a load that moves, both have memory that does.
      const moves = takenAtMs / 10_000 % 7;
      const sample = {
        load1: id === "well" ? load1 + moves / 10 : load1,
        memoryAvailableBytes: memory + moves,
        takenAtMs,
      };
      pool.observeLoad(id, { kind: "sample", sample }, takenAtMs);
      told.push(...texts(frozen.observe(pool, id, sample, true, 0)));
    }
    told.push(...texts(shortages.judge(pool, takenAtMs)));
    assertEquals(usableIn(pool), ["well"]);
  }
  assertEquals(told, [
    "short is held back: 500B of memory is available, less than 1.0KiB (back at 1.1KiB)",
    "short reports a load of 0.37 and nothing else for 2 min, which no kernel does; " +
    "it is placed as if its load were unknown",
  ]);
});
