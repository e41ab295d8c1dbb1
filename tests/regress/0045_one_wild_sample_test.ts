// One sample of a wild load (a broken plugin's 999999999) stayed in the long means, and through the pool's
// mean in the estimates of all other backends: for a day nobody's free cores meant anything, and for a
// while they were as if unknown.

import { assert } from "@std/assert";
import { FreeCores } from "../../lib/core/estimate/free_cores.ts";
import { FREE_MILLI_CORES, PickTable, UNKNOWN_FREE } from "../../lib/core/pick/pick_table.ts";
import { freeMilliCores } from "../../lib/strategy/weigh.ts";
import { backendAt } from "../support/backends.ts";

Deno.test("one wild sample neither spoils other backends nor its own for a day", () => {
  const table = PickTable.allocate(2);
  for (const taken of [[], [0]]) table.claim(new Set(taken));
  const freeCores = new FreeCores();
  let nowMs = 0;
  const sample = (wild: number) => {
    nowMs += 10_000;
    const loads = [wild, 0.5].map((load1, row) => ({
      row,
      backend: backendAt(`backend${row}`),
      cores: 8,
      weight: 1,
      load: { load1, takenAtMs: nowMs },
      usable: true,
    }));
    freeCores.write(loads, table, nowMs);
    return [0, 1].map((row) => table.read(row, FREE_MILLI_CORES));
  };
  for (let i = 0; i < 360; i++) sample(0.5);
  const [own = NaN, other = NaN] = sample(1e7);
  assert(own < 0 && own > UNKNOWN_FREE, `own: ${own}`);
  assert(Math.abs(other - 7500) < 500, `other: ${other}`);
  let last: readonly number[] = [];
  for (let i = 0; i < 2 * 360; i++) last = sample(0.5);
  assert((last[0] ?? NaN) > 3000 && Math.abs((last[1] ?? NaN) - 7500) < 100, last.join());
});

Deno.test("a load beyond what a row can hold is not told as an unknown one", () => {
  const load = { load1: 4e6, takenAtMs: 0 };
  const member = { row: 0, backend: backendAt("a"), usable: true, cores: 8, weight: 1, load };
  assert(freeMilliCores(member) > UNKNOWN_FREE);
});
