// In a panic, ejected backends are used all the same; that made them count as somebody to rely on, and so
// the last backend that was well was held back for a few connects that failed.

import { assertEquals } from "@std/assert";
import { Outliers } from "../../lib/core/watch/outliers.ts";
import { judgePanic } from "../../lib/core/watch/panic.ts";
import { probe, runningPool, texts } from "../support/pools.ts";

Deno.test("the last backend that is well is not held back for those that a panic forgives", () => {
  const pool = runningPool(["a", "b", "c", "d"]);
  const outliers = new Outliers({ failures: 2, ejectionMs: 60_000, maxHeldShare: 0.5 });
  const fail = (id: string, nowMs: number) =>
    outliers.observeConnect(pool, id, "refused", nowMs).concat(
      outliers.observeConnect(pool, id, "refused", nowMs),
    );
  fail("a", 0);
  probe(pool, "b", false);
  probe(pool, "c", false);
  judgePanic(pool, { belowShare: 0.5, lastResort: false });
  assertEquals([...pool.forgiven], ["outlier"]);
  assertEquals(texts(fail("d", 1000)), [
    "d is used although 2 connections in a row failed (refused) although its probes pass: " +
    "no more backends may be held back",
  ]);
});
