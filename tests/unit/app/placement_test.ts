import { assert, assertEquals } from "@std/assert";
import { Placement } from "../../../lib/app/placement.ts";
import {
  COST_MILLI_CORES,
  FREE_MILLI_CORES,
  PickTable,
} from "../../../lib/core/pick/pick_table.ts";
import type { StrategyName } from "../../../lib/strategy/registry.ts";
import { backendAt } from "../../support/backends.ts";

/** What a pool's rows say after these strategies, each for a minute in which the load rises. */
function rowAfter(...strategies: readonly StrategyName[]): readonly number[] {
  const table = PickTable.allocate(1);
  const row = table.claim(new Set());
  const of = (strategy: StrategyName) => ({ strategy, fallback: "round_robin" } as const);
  const placement = new Placement(of(strategies[0] ?? "least_load"));
  let nowMs = 0;
  for (const strategy of strategies) {
    placement.setConfig(of(strategy));
    for (let i = 0; i < 6; i++) {
      nowMs += 10_000;
      const load = { load1: nowMs / 10_000, takenAtMs: nowMs };
      const view = [{ row, backend: backendAt("a"), usable: true, cores: 64, weight: 1, load }];
      placement.weigh(view, table, nowMs, { asked: true, awaited: false });
    }
  }
  return [FREE_MILLI_CORES, COST_MILLI_CORES].map((word) => table.read(row, word));
}

Deno.test("another strategy forgets nothing that was learnt of the loads", () => {
  const kept = rowAfter("least_load", "least_load", "least_load");
  // A load average lags: who has seen it rise by 1 in 10 s knows of more than it says.
  assert((kept[0] ?? NaN) < 64_000 - 18_000 - 1000, `${kept}`);
  assertEquals(rowAfter("least_load", "two_choices", "least_load"), kept);
  assertEquals(rowAfter("first", "least_load", "two_choices"), kept);
  assertEquals(rowAfter("least_load", "round_robin", "least_load"), kept);
});
