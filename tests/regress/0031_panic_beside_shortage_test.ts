// Two backends short of memory and an ejected one: the panic forgave the ejected one, so that those short
// of memory were no longer the last ones left and were held back; every client then met the one backend
// whose connects fail. Who is forgiven in a panic is nobody to hold others back for.

import { assertEquals } from "@std/assert";
import { judgePanic } from "../../lib/core/watch/panic.ts";
import { Shortages } from "../../lib/core/watch/shortages.ts";
import { runningPool, usableIn } from "../support/pools.ts";

const PANIC = { belowShare: 1, lastResort: false };

Deno.test("what a panic forgives does not hold back those that are short of memory", () => {
  const pool = runningPool(["ejected", "short"]);
  pool.hold("ejected", "outlier", "5 connections in a row failed", 0);
  pool.observeLoad("short", {
    kind: "sample",
    sample: { load1: 0, memoryAvailableBytes: 1, takenAtMs: 0 },
  }, 0);
  const shortages = new Shortages({ memory: { minAvailable: { bytes: 2 } }, pressure: {} });
  const told: string[] = [];
  for (let round = 0; round < 4; round++) {
    told.push(...shortages.judge(pool, 0).map(({ text }) => text));
    judgePanic(pool, PANIC);
    assertEquals(usableIn(pool), ["ejected", "short"], `round ${round}`);
  }
  assertEquals(told.length, 1, told.join("\n"));
});
