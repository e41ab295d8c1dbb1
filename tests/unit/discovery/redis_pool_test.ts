import { assertEquals } from "@std/assert";
import {
  type Change,
  changedPool,
  listOfPool,
  parseServer,
  placedPool,
  readPool,
  type RedisPool,
  unwrittenChanges,
  Usability,
  writtenServers,
} from "../../../lib/discovery/redis_pool.ts";

function poolOf(inUse: string, retired = ""): RedisPool {
  const pool = readPool(inUse, retired);
  if (!pool.ok) throw new Error(pool.message);
  return pool.value;
}

function changes(...words: readonly string[]): readonly Change[] {
  return words.map((word) => {
    const server = parseServer(word.slice(1));
    if (!server.ok) throw new Error(server.message);
    const kind = word.startsWith("+") ? "add" : "remove";
    return { kind, server: server.value, heardAtMs: 0 };
  });
}

function written({ inUse, retired }: RedisPool): readonly string[] {
  return [writtenServers(inUse), writtenServers(retired)];
}

Deno.test("a server that stands in the keys twice counts once, whatever its spelling", () => {
  const pool = poolOf('["Hoek:22","hoek:22=8","hoek"]', '["HOEK:22","kelvin:22"]');
  assertEquals(written(pool), ['["Hoek:22","hoek"]', '["kelvin:22"]']);
});

Deno.test("changes take effect in their order, and again without effect", () => {
  const pool = poolOf('["a:1","b:1"]', '["c:1"]');
  const all = changes("+d:1", "-B:1", "+c:1", "+d:1", "-a:1", "+a:1=4", "-e:1");
  const once = changedPool(pool, all);
  assertEquals(written(once), ['["d:1","a:1=4"]', '["c:1"]']);
  assertEquals(written(changedPool(once, changes("-c:1", "-d:1"))), ['["a:1=4"]', "[]"]);
});

Deno.test("servers that fail are retired, and come back behind the others", () => {
  const pool = poolOf('["a:1","b:1","h"]', '["c:1","d:1"]');
  const usability = new Usability([
    { id: "A:1", isUsable: false },
    { id: "c:1", isUsable: true },
    { id: "h:22", isUsable: false },
  ]);
  assertEquals(written(placedPool(pool, usability)), ['["b:1","c:1"]', '["d:1","a:1","h"]']);
});

Deno.test("an empty list is meant only where nothing else stands", () => {
  assertEquals(listOfPool(poolOf("[]")).isMeant, true);
  assertEquals(listOfPool(poolOf("[]", '["a:1"]')).isMeant, undefined);
  assertEquals(listOfPool(poolOf('["no server"]')).isMeant, undefined);
});

Deno.test("a change is written with all before it about its server, and none behind", () => {
  const all = changes("+a:1", "+b:1", "-a:1", "+a:1");
  const left = (...words: readonly string[]) =>
    unwrittenChanges(all, words).map(({ kind, server }) => `${kind} ${server.text}`);
  assertEquals(left("+a:1"), ["add b:1", "remove a:1", "add a:1"]);
  assertEquals(left("-a:1"), ["add b:1", "add a:1"]);
  assertEquals(left("-a:1", "+a:1", "+c:1"), ["add b:1"]);
});
