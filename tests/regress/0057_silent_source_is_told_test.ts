// A load source that gives no figure (a command that says ONLINE, an agent without a percentage) could fail
// without a word in the log: having no load was taken for a failure that had been told. And one that gives
// a figure at times was said to report its load each time, for ever.

import { assertEquals } from "@std/assert";
import type { LoadResult } from "../../lib/core/pool/load.ts";
import { runningPool } from "../support/pools.ts";

Deno.test("that a load source fails is said once, and so is its end, figures or not", () => {
  const pool = runningPool(["a"]);
  let nowMs = 0;
  const says = (result: LoadResult) =>
    pool.observeLoad("a", result, nowMs += 1000).map(({ level, text }) => `${level}: ${text}`);
  const load = (): LoadResult => ({ kind: "sample", sample: { load1: 1, takenAtMs: nowMs } });
  const up: LoadResult = { kind: "advice", advice: { health: "up" } };
  const failed: LoadResult = { kind: "failed", reason: "no answer" };
  assertEquals(says({ kind: "online" }), []);
  assertEquals(says(failed), ["warning: does not report its load: no answer"]);
  assertEquals(says(failed), []);
  assertEquals(says({ kind: "online" }), [
    "info: has a load source that answers again: the source says online",
  ]);
  assertEquals(says(load()), ["info: reports its load: 1.00"]);
  for (let round = 0; round < 3; round++) assertEquals([says(up), says(load())], [[], []]);
  assertEquals(says(failed), ["warning: does not report its load: no answer"]);
  assertEquals(says(load()), ["info: reports its load: 1.00"]);
});
