import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { type OutlierRules, Outliers } from "../../../../lib/core/watch/outliers.ts";
import { EjectionBackoff, LINEAR } from "../../../../lib/core/watch/ejection_backoff.ts";
import { probe, runningPool, texts, usableIn } from "../../../support/pools.ts";

const RULES: OutlierRules = { failures: 5, ejectionMs: 30_000, maxHeldShare: 0.5 };

/** A pool with its watch, told of connects as the program tells them. */
function watched(ids: readonly string[], rules = RULES) {
  const pool = runningPool(ids);
  const outliers = new Outliers(rules);
  return {
    pool,
    outliers,
    connect: (id: string, ok: boolean, nowMs: number) => {
      const failure = ok ? undefined : "refused" as const;
      return [
        ...outliers.observeConnect(pool, id, failure, nowMs),
        ...pool.observeConnect(id, failure, nowMs),
      ];
    },
    /** Probes that pass bring it up whatever connects say. */
    revive: (id: string) => probe(pool, id, true, 2),
  };
}

Deno.test("Outliers eject a backend whose probes bring it up while its connects fail", () => {
  const { pool, connect, revive } = watched(["a", "b", "c"]);
  for (let i = 0; i < 3; i++) connect("a", false, i);
  assertEquals(usableIn(pool), ["b", "c"]);
  revive("a");
  assertEquals(usableIn(pool), ["a", "b", "c"]);
  assertEquals(connect("a", false, 10_000), []);
  assertEquals(texts(connect("a", false, 10_001)), [
    "a is held back: 5 connections in a row failed (refused) although its probes pass; ejected for 30s",
  ]);
  revive("a");
  assertEquals(usableIn(pool), ["b", "c"]);
});

Deno.test("Outliers eject longer each time, at the first failure after an ejection", () => {
  const { pool, outliers, connect, revive } = watched(["a", "b", "c"]);
  let nowMs = 0;
  const lengths: number[] = [];
  for (let round = 0; round < 12; round++) {
    let tries = 0;
    while (outliers.untilMs("a") === undefined) {
      revive("a");
      connect("a", false, nowMs);
      tries++;
    }
    if (round > 0) assertEquals(tries, 1);
    const untilMs = outliers.untilMs("a") ?? 0;
    lengths.push((untilMs - nowMs) / 1000);
    assertEquals(outliers.tick(pool, untilMs - 1), []);
    nowMs = untilMs;
    assertStringIncludes(texts(outliers.tick(pool, nowMs))[0] ?? "", "its ejection is over");
  }
  assertEquals(lengths, [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]);
});

Deno.test("EjectionBackoff are forgiven with time", () => {
  const backoff = new EjectionBackoff(LINEAR);
  assertEquals([backoff.add(1000, 0), backoff.add(1000, 1000), backoff.add(1000, 3000)], [
    1000,
    2000,
    3000,
  ]);
  // Two backoff fewer after twenty base times of good conduct.
  assertEquals(backoff.add(1000, 6000 + 20_000), 2000);
  assertEquals(backoff.add(1000, 1e9), 1000);
});

Deno.test("Outliers forget failures at a success, and when probes see the fault too", () => {
  const { pool, outliers, connect, revive } = watched(["a", "b"]);
  const fail = (times: number) => {
    for (let i = 0; i < times; i++) connect("a", false, i);
  };
  fail(2);
  connect("a", true, 3);
  fail(3);
  revive("a");
  probe(pool, "a", false);
  outliers.probesAgree("a");
  revive("a");
  fail(3);
  revive("a");
  fail(1);
  assertEquals(pool.member("a")?.holds.size, 0);
  fail(1);
  assertEquals(pool.member("a")?.holds.size, 1);
  // Somebody who was on his way gets through: so it works again.
  assertEquals(texts(connect("a", true, 9)), [
    "a is no longer held back: a connection to it succeeded",
  ]);
});

Deno.test("Outliers pass over faults of our own and backends that are down anyway", () => {
  const { pool, outliers } = watched(["a", "b"], { ...RULES, failures: 1 });
  assertEquals(outliers.observeConnect(pool, "a", "out_of_descriptors", 0), []);
  probe(pool, "a", false);
  assertEquals(outliers.observeConnect(pool, "a", "timeout", 0), []);
  assertEquals(outliers.observeConnect(pool, "nobody", "timeout", 0), []);
});

Deno.test("Outliers eject no more than the cap, say so once, and make up for it later", () => {
  const ids = ["a", "b", "c", "d"];
  const { pool, outliers, connect } = watched(ids, { ...RULES, failures: 1 });
  const told = ids.flatMap((id) => texts(connect(id, false, 0)));
  assertEquals(usableIn(pool), ["c", "d"]);
  assertStringIncludes(told[2] ?? "", "c is used although a connection failed (refused)");
  assertEquals(connect("c", false, 1), []);
  connect("b", true, 2);
  outliers.tick(pool, 3);
  assertEquals(usableIn(pool), ["b", "d"]);
});

Deno.test("Outliers never eject the last usable backend, whatever happens", () => {
  const ids = ["a", "b", "c", "d", "e"];
  const step = fc.record({
    id: fc.constantFrom(...ids),
    what: fc.constantFrom("fail", "fail", "fail", "succeed", "probe", "tick"),
    passedMs: fc.nat(40_000),
  });
  fc.assert(fc.property(
    fc.array(step, { maxLength: 80 }),
    fc.integer({ min: 1, max: 100 }),
    (steps, percent) => {
      const rules = { ...RULES, failures: 2, maxHeldShare: percent / 100 };
      const { pool, outliers, connect, revive } = watched(ids, rules);
      let nowMs = 0;
      for (const { id, what, passedMs } of steps) {
        nowMs += passedMs;
        const before = usableIn(pool).length;
        if (what === "fail") outliers.observeConnect(pool, id, "refused", nowMs);
        else if (what === "succeed") connect(id, true, nowMs);
        else if (what === "probe") revive(id);
        else outliers.tick(pool, nowMs);
        assert(before === 0 || usableIn(pool).length > 0, `${what} ${id}`);
        const held = pool.members.filter(({ holds }) => holds.size > 0).length;
        assert(held <= Math.max(1, Math.floor(rules.maxHeldShare * ids.length)));
      }
    },
  ));
});

Deno.test("Outliers let everybody go when they are switched off, and forget who has left", () => {
  const { pool, outliers, connect } = watched(["a", "b", "c"], { ...RULES, failures: 1 });
  connect("a", false, 0);
  outliers.setRules(pool, { ...RULES, failures: 2 });
  assertEquals(usableIn(pool), ["b", "c"]);
  outliers.forget(pool, "a");
  assertEquals(outliers.untilMs("a"), undefined);
  assertEquals(usableIn(pool), ["a", "b", "c"]);
  outliers.setRules(pool, { ...RULES, failures: 1 });
  connect("b", false, 0);
  const told = texts(outliers.setRules(pool, { ...RULES, failures: 0 }));
  assertEquals(told, ["b is no longer held back: outliers are not watched any more"]);
  assertEquals(connect("b", false, 1), []);
});
