// With the only backend that had enough memory at its max_connections, clients were turned away although
// one that was short of memory could have served them.

import { assertEquals } from "@std/assert";
import { FreeCores } from "../../lib/core/estimate/free_cores.ts";
import { Choice, pick, release } from "../../lib/core/pick/pick_kernels.ts";
import { PickTable } from "../../lib/core/pick/pick_table.ts";
import { Pool } from "../../lib/core/pool/pool.ts";
import { Shortages } from "../../lib/core/watch/shortages.ts";
import { backupTierOf } from "../../lib/core/pool/standing.ts";
import { strategyNamed } from "../../lib/strategy/registry.ts";
import { backendAt } from "../support/backends.ts";
import { weigh } from "../../lib/strategy/weigh.ts";

Deno.test("a backend that is short serves whom the one with enough memory cannot take", () => {
  const rules = { rise: 1, fall: 1, loadMaxAgeMs: 60_000, rowRestMs: 0 };
  const pool = new Pool("p", rules, PickTable.allocate(2));
  pool.setBackends([backendAt("short"), { ...backendAt("well"), maxConnections: 2 }], 0);
  for (const { backend: { id, address } } of pool.members) pool.observeName(id, [address]);
  for (const [id, memoryAvailableBytes] of [["short:22", 1], ["well:22", 8]] as const) {
    const sample = { load1: 0, cores: 4, memoryAvailableBytes, takenAtMs: 0 };
    pool.observeLoad(id, { kind: "sample", sample }, 0);
  }
  new Shortages({ memory: { minAvailable: { bytes: 2 } }, pressure: {} }).judge(pool, 0);
  const view = pool.members.map((member) => ({
    row: member.row,
    backend: member.backend,
    usable: pool.isUsable(member),
    backupTier: backupTierOf(pool, member),
    cores: 4,
    weight: 1,
    ...(member.load === undefined ? {} : { load: member.load }),
  }));
  const [short, well] = view.map(({ row }) => row);
  for (const strategy of ["least_load", "round_robin", "source_hash"] as const) {
    const named = strategyNamed(strategy);
    weigh(named, named, view, pool.table, 0, new FreeCores());
    const choice = new Choice();
    const picked = Array.from({ length: 4 }, () => pick(pool.table, null, 0.5, choice));
    assertEquals(picked, [well, well, short, short], strategy);
    for (const row of picked) release(pool.table, row, choice.step);
  }
});
