import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { judgePanic } from "../../../../lib/core/watch/panic.ts";
import type { HoldCause } from "../../../../lib/core/pool/member.ts";
import type { Pool } from "../../../../lib/core/pool/pool.ts";
import { probe, runningPool, usableIn } from "../../../support/pools.ts";

const RULES = { belowShare: 0.5, lastResort: false };

function hold(pool: Pool, id: string, cause: HoldCause): void {
  pool.hold(id, cause, "test", 0);
}

Deno.test("judgePanic() forgives outliers when too few are left, and not before", () => {
  const pool = runningPool(["a", "b", "c", "d"]);
  hold(pool, "a", "outlier");
  probe(pool, "b", false);
  assertEquals(judgePanic(pool, RULES), undefined);
  probe(pool, "c", false);
  const panic = judgePanic(pool, RULES);
  assertEquals([panic?.usable, panic?.considered], [1, 4]);
  assertEquals(usableIn(pool), ["a", "d"]);
  assertEquals(judgePanic(pool, { ...RULES, belowShare: 0 }), undefined);
  assertEquals(usableIn(pool), ["d"]);
  probe(pool, "c", true);
  assertEquals(judgePanic(pool, RULES), undefined);
  assertEquals(usableIn(pool), ["c", "d"]);
});

Deno.test("judgePanic() is silent where forgiving would help nobody", () => {
  const pool = runningPool(["a", "b", "c"]);
  probe(pool, "a", false);
  probe(pool, "b", false);
  assertEquals(judgePanic(pool, RULES), undefined);
  assertEquals(usableIn(pool), ["c"]);
});

Deno.test("judgePanic() sends sessions into a black hole only when nobody else is left", () => {
  const pool = runningPool(["a", "b", "c"]);
  hold(pool, "a", "black_hole");
  probe(pool, "b", false);
  judgePanic(pool, { ...RULES, belowShare: 1 });
  assertEquals(usableIn(pool), ["c"]);
  probe(pool, "c", false);
  // The same even where no threshold is set: better there than nowhere.
  judgePanic(pool, { ...RULES, belowShare: 0 });
  assertEquals(usableIn(pool), ["a"]);
});

Deno.test("judgePanic() tries what is down as a last resort, if that is wished", () => {
  const pool = runningPool(["a", "b"]);
  probe(pool, "a", false);
  probe(pool, "b", false);
  assertEquals(judgePanic(pool, RULES), undefined);
  assertEquals(usableIn(pool), []);
  assert(judgePanic(pool, { ...RULES, lastResort: true })?.forgiven.has("down"));
  assertEquals(usableIn(pool), ["a", "b"]);
  probe(pool, "b", true);
  assertEquals(judgePanic(pool, { ...RULES, lastResort: true }), undefined);
  assertEquals(usableIn(pool), ["b"]);
});

Deno.test("judgePanic() never overrides administration, an agent, memory or a source's word", () => {
  const ids = ["a", "b", "c", "d", "e"];
  const foreign = ["offline", "agent", "memory", "pressure"] as const;
  const ours = ["outlier", "black_hole"] as const;
  const fate = fc.constantFrom("well", "down", "disabled", ...ours, ...foreign);
  fc.assert(fc.property(
    fc.tuple(fate, fate, fate, fate, fate),
    fc.record({ belowShare: fc.double({ min: 0, max: 1, noNaN: true }), lastResort: fc.boolean() }),
    (fates, rules) => {
      const pool = runningPool(ids);
      const barred = new Set<string>();
      fates.forEach((fate, index) => {
        const id = ids[index] ?? "";
        const member = pool.member(id);
        assert(member !== undefined);
        if (fate === "down") probe(pool, id, false);
        else if (fate === "disabled") member.admin = "disabled";
        else if (fate !== "well") hold(pool, id, fate);
        const isBarred = fate === "disabled" || foreign.some((one) => one === fate) ||
          (fate === "down" && !rules.lastResort);
        if (isBarred) barred.add(id);
      });
      judgePanic(pool, rules);
      const usable = usableIn(pool);
      for (const id of usable) assert(!barred.has(id), `${id} of ${fates}`);
      // Whoever may be used is used before anybody is refused.
      assertEquals(usable.length === 0, ids.every((id) => barred.has(id)));
    },
  ));
});
