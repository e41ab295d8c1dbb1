import { assertEquals } from "@std/assert";
import { TableRules } from "../../../lib/app/table_rules.ts";
import type { PoolConfig } from "../../../lib/config/config.ts";
import { readConfig } from "../../../lib/config/read_config.ts";
import {
  CLOCK,
  HASH_BALANCE,
  PACE_BASE,
  PACE_LIMIT,
  PickTable,
  STARTED,
  STICKY_SECONDS,
} from "../../../lib/core/pick_table.ts";
import { Source } from "../../../lib/core/source_hash.ts";
import { recall, remember } from "../../../lib/core/sticky.ts";
import { ManualClock } from "../../support/manual_clock.ts";

function poolOf(keys: string): PoolConfig {
  const text = `frontends: { f: { listen: ":22" } }\npools: { p: { backends: [a], ${keys} } }\n`;
  const result = readConfig({ file: { path: "lb.conf", text } });
  const pool = result.ok ? result.config.pools[0] : undefined;
  if (pool === undefined) throw new Error(`Cannot read "${text}"`);
  return pool;
}

function wordsOf({ words }: PickTable): (number | undefined)[] {
  return [words[HASH_BALANCE], words[STICKY_SECONDS], words[PACE_LIMIT]];
}

Deno.test("what a pool's configuration says to kernels stands in its table at once", async () => {
  const table = PickTable.allocate(4, 16);
  await using rules = new TableRules(table, new ManualClock());
  rules.set(poolOf("strategy: random"));
  assertEquals(wordsOf(table), [125, 0, 8]);
  rules.set(poolOf("hash_balance: off, sticky: { by: source, ttl: 90m }, pace: { sessions: off }"));
  assertEquals(wordsOf(table), [0, 5400, 0]);
});

Deno.test("time passes in the table: seconds, and what counts as lately", async () => {
  const clock = new ManualClock();
  const table = PickTable.allocate(4, 16);
  table.claim(new Set());
  await using rules = new TableRules(table, clock);
  rules.set(poolOf("pace: { within: 4s }"));
  rules.start();
  await clock.advance(1000);
  table.write(0, STARTED, 5);
  await clock.advance(3900);
  assertEquals([table.words[CLOCK], table.read(0, PACE_BASE)], [4, 0]);
  await clock.advance(400);
  assertEquals([table.words[CLOCK], table.read(0, PACE_BASE)], [5, 5]);
  // A shorter time holds from the next step on.
  rules.set(poolOf("pace: { within: 1s }"));
  table.write(0, STARTED, 6);
  await clock.advance(1300);
  assertEquals([table.words[CLOCK], table.read(0, PACE_BASE)], [6, 6]);
});

Deno.test("clients that stick no more are forgotten, a shorter time forgets nobody", async () => {
  const table = PickTable.allocate(4, 16);
  await using rules = new TableRules(table, new ManualClock());
  rules.set(poolOf("sticky: { by: source, ttl: 90m }"));
  const row = table.claim(new Set(), 7);
  const client = new Source();
  client.setIpv4(1);
  remember(table, client, row);
  rules.set(poolOf("sticky: { by: source, ttl: 1m }"));
  assertEquals(recall(table, client), row);
  rules.set(poolOf("sticky: { by: off }"));
  rules.set(poolOf("sticky: { by: source, ttl: 90m }"));
  assertEquals(recall(table, client), -1);
});
