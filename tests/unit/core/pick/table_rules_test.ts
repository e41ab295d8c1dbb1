import { assert, assertEquals } from "@std/assert";
import { RulesTicker, TableRules } from "../../../../lib/core/pick/table_rules.ts";
import type { PoolConfig } from "../../../../lib/config/config.ts";
import { readConfig } from "../../../../lib/config/read_config.ts";
import {
  CLOCK,
  HASH_BALANCE,
  HEADER_WORDS,
  NEW_LOGINS,
  PACE_LIMIT,
  PickTable,
  STICKY_SECONDS,
} from "../../../../lib/core/pick/pick_table.ts";
import { Source } from "../../../../lib/core/pick/source.ts";
import { recall, remember } from "../../../../lib/core/pick/sticky.ts";
import { youngOf } from "../../../../lib/core/pick/young.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { logIn } from "../../../support/tables.ts";

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

Deno.test("what a pool's configuration says to kernels stands in its table at once", () => {
  const table = PickTable.allocate(4, 16);
  const rules = new TableRules(table, 0);
  rules.set(poolOf("strategy: random"));
  assertEquals(wordsOf(table), [125, 0, 6]);
  rules.set(poolOf("hash_balance: off, sticky: { by: source, ttl: 90m }, pace: { sessions: off }"));
  assertEquals(wordsOf(table), [0, 5400, 0]);
});

Deno.test("time passes in the table: seconds, and which connections are young", async () => {
  const clock = new ManualClock();
  const table = PickTable.allocate(4, 16);
  table.claim(new Set());
  const rules = new TableRules(table, clock.now());
  await using ticker = new RulesTicker(rules, clock);
  rules.set(poolOf("pace: { within: 4s }"));
  ticker.start();
  const young = () => youngOf(table.words, HEADER_WORDS);
  await clock.advance(1000);
  logIn(table, 0, 5);
  await clock.advance(3900);
  assertEquals([table.words[CLOCK], young(), table.words[NEW_LOGINS]], [4, 5, 5]);
  await clock.advance(700);
  assertEquals([table.words[CLOCK], young(), table.words[NEW_LOGINS]], [5, 0, 5]);
  // Another time forgets who is young.
  logIn(table, 0, 6);
  rules.set(poolOf("pace: { within: 1s }"));
  assertEquals([young(), table.words[NEW_LOGINS]], [0, 0]);
  logIn(table, 0, 7);
  await clock.advance(1300);
  assertEquals([table.words[CLOCK], young(), table.words[NEW_LOGINS]], [6, 0, 7]);
});

Deno.test("clients that stick no more are forgotten, a shorter time forgets nobody", () => {
  const table = PickTable.allocate(4, 16);
  const rules = new TableRules(table, 0);
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

Deno.test("after a long silence no connection is young", () => {
  const table = PickTable.allocate(4);
  table.claim(new Set());
  const rules = new TableRules(table, 1000);
  rules.set(poolOf("pace: { within: 10s }"));
  assertEquals(rules.advance(1000), 2000);
  logIn(table, 0, 9);
  const now = 1000 + 86_400_000 * 400;
  rules.advance(now);
  assertEquals([table.words[CLOCK], table.words[NEW_LOGINS]], [86_400 * 400, 0]);
  // A pool that changes its steps is not behind by them.
  rules.set(poolOf("pace: { within: 1s }"));
  const due = rules.advance(now + 10);
  assert(due > now + 10 && due <= now + 125, `${due - now}`);
});
