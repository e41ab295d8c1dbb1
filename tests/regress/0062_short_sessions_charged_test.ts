// Sessions that had ended were charged as part of a burst of logins and paced others: 40 sessions one after
// the other, each ended at once, went to backends without a free core, and FREE was below 0 for no reason.

import { assert, assertEquals } from "@std/assert";
import { FreeCores } from "../../lib/core/estimate/free_cores.ts";
import { TableRules } from "../../lib/core/pick/table_rules.ts";
import { Choice, countTunnel, pick, release } from "../../lib/core/pick/pick_kernels.ts";
import { PickTable } from "../../lib/core/pick/pick_table.ts";
import { identityOf } from "../../lib/core/pick/source.ts";
import { LEAST_LOAD } from "../../lib/strategy/least_load.ts";
import { backendAt } from "../support/backends.ts";
import { weigh } from "../../lib/strategy/weigh.ts";

const SERVERS = [{ cores: 16, load1: 0.2 }, { cores: 8, load1: 6.9 }, { cores: 4, load1: 3.5 }];
const CONFIG = {
  hashBalance: 0,
  sticky: { by: "off", ttlMs: 1000 },
  pace: { sessions: 8, withinMs: 10_000 },
} as const;

/** A pool from its start on, under least_load. */
function start(nowMs: number) {
  const table = PickTable.allocate(4);
  const taken = new Set<number>();
  for (const row of SERVERS.keys()) taken.add(table.claim(taken, identityOf(`h${row}`)));
  const rules = new TableRules(table, nowMs);
  rules.set(CONFIG);
  let freeCores = new FreeCores();
  return {
    table,
    /** A restart of the estimate, which knows nothing of who stands. */
    restart: () => freeCores = new FreeCores(),
    weigh: (nowMs: number) => {
      const view = SERVERS.map(({ cores, load1 }, row) => ({
        ...{ row, cores, usable: true, weight: 1, backend: backendAt(`h${row}`) },
        load: { load1, takenAtMs: nowMs - nowMs % 2000 },
      }));
      rules.advance(nowMs);
      weigh(LEAST_LOAD, LEAST_LOAD, view, table, nowMs, freeCores);
      return freeCores.burstCost;
    },
  };
}

Deno.test("a session that is over costs nothing and paces nobody, nor does it after a restart", () => {
  const pool = start(0);
  const choice = new Choice();
  for (let i = 0; i < 40; i++) {
    assertEquals(pool.weigh(300 * i), 0, `session ${i}`);
    assertEquals(pick(pool.table, null, 0.5, choice), 0, `session ${i}`);
    assertEquals(choice.paced, false);
    countTunnel(pool.table, 0);
    // Weighed while it stands, too: every third lasts so long.
    if (i % 3 === 0) pool.weigh(300 * i + 100);
    release(pool.table, 0, choice.step);
  }
  assertEquals(pool.weigh(12_000), 0);
  const free = () => SERVERS.map((_, row) => pool.table.freeMilliCores(row));
  const near = (found: readonly number[]) => {
    for (const [row, { cores, load1 }] of SERVERS.entries()) {
      const due = 1000 * (cores - load1);
      assert(Math.abs((found[row] ?? 0) - due) <= 200, `${found}`);
    }
  };
  near(free());
  // Those that stand for hours are no burst to an estimate that is made anew, nor is one that has ended.
  const standing = [0, 1, 2, 3, 4].map(() => {
    const row = pick(pool.table, null, 0.5, choice);
    countTunnel(pool.table, row);
    return { row, step: choice.step };
  });
  pool.weigh(200_000);
  pool.restart();
  assertEquals(pool.weigh(200_300), 0);
  for (const { row, step } of standing) release(pool.table, row, step);
  pool.restart();
  assertEquals(pool.weigh(200_600), 0);
  near(free());
  const again = start(200_900);
  assertEquals(again.weigh(200_900), 0);
  near(SERVERS.map((_, row) => again.table.freeMilliCores(row)));
});
