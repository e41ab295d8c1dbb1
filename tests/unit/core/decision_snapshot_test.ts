import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  drawWord,
  readSnapshot,
  SNAPSHOT_ROWS,
  SNAPSHOT_WORDS,
  takeSnapshot,
} from "../../../lib/core/decision_snapshot.ts";
import { Choice, pick, release, Tried } from "../../../lib/core/pick_kernels.ts";
import {
  ACTIVE,
  COST_MILLI_CORES,
  ELIGIBLE,
  FREE_MILLI_CORES,
  KERNELS,
  MAX_CONNECTIONS,
  NEARLY_EQUAL,
  PickTable,
  STANDING,
  UNKNOWN_FREE,
} from "../../../lib/core/pick_table.ts";
import { STANDINGS } from "../../../lib/core/standing.ts";

const row = fc.record({
  eligible: fc.boolean(),
  free: fc.oneof(fc.integer({ min: -9000, max: 9000 }), fc.constant(UNKNOWN_FREE)),
  active: fc.integer({ min: 0, max: 5 }),
  limit: fc.constantFrom(0, 0, 3),
  cost: fc.integer({ min: 0, max: 600 }),
  standing: fc.integer({ min: 0, max: STANDINGS.length - 1 }),
  tried: fc.boolean(),
  named: fc.boolean(),
});

Deno.test("a snapshot says of every backend what the pick saw of it", () => {
  fc.assert(fc.property(
    fc.array(row, { maxLength: 40 }),
    fc.constantFrom(...KERNELS),
    fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    fc.integer({ min: 0, max: 3000 }),
    (rows, kernel, random, nearlyEqual) => {
      const table = PickTable.allocate(64);
      const tried = new Tried();
      const taken = new Set<number>();
      for (const { eligible, free, active, limit, cost, standing, tried: isTried } of rows) {
        const at = table.claim(taken);
        taken.add(at);
        table.write(at, ELIGIBLE, eligible ? 1 : 0);
        table.write(at, FREE_MILLI_CORES, free);
        table.write(at, ACTIVE, active);
        table.write(at, MAX_CONNECTIONS, limit);
        table.write(at, COST_MILLI_CORES, cost);
        table.write(at, STANDING, standing);
        if (isTried) tried.add(at);
      }
      table.kernel = kernel;
      table.words[NEARLY_EQUAL] = nearlyEqual;
      const names = rows.map(({ named }, index) => named ? { backend: `b${index}` } : undefined);
      const free = rows.map((_, index) => table.freeMilliCores(index));
      const choice = new Choice();
      const chosen = pick(table, tried, random, choice);
      const words = new Int32Array(7 + SNAPSHOT_WORDS);
      const length = takeSnapshot(table, tried, choice, drawWord(random), words.subarray(7));
      assertEquals(length, 4 + 5 * Math.min(rows.length, SNAPSHOT_ROWS));
      const snapshot = readSnapshot(words, 7, names);

      assertEquals(snapshot.kernel, kernel);
      assert(Math.abs(snapshot.draw - random) < 1e-9 && snapshot.draw < 1);
      const known = names.filter((name) => name !== undefined).length;
      assertEquals(snapshot.backends.length + snapshot.omitted, known);
      const winners = snapshot.backends.filter(({ outcome }) => outcome === "chosen");
      const winner = names[chosen]?.backend;
      assertEquals(winners.map(({ backend }) => backend), winner === undefined ? [] : [winner]);
      if (chosen < 0) assertEquals(snapshot.why, "nobody");
      for (const { backend, outcome, freeMilliCores, active } of snapshot.backends) {
        const index = Number(backend.slice(1));
        const was = rows[index];
        assert(was !== undefined);
        assertEquals(active, was.active);
        // What is not known at all is not told; the winner's own session costs it nothing yet.
        assertEquals(freeMilliCores ?? UNKNOWN_FREE, free[index]);
        const barred = was.tried
          ? "tried"
          : !was.eligible
          ? STANDINGS[was.standing]
          : was.limit !== 0 && was.active >= was.limit
          ? "full"
          : undefined;
        if (barred !== undefined) assertEquals(outcome, barred === "ready" ? "set_aside" : barred);
        else assert(!["tried", "full", "down", "set_aside"].includes(outcome), outcome);
        if (outcome === "less_free") assert((freeMilliCores ?? 0) <= (free[chosen] ?? 0));
        if (outcome === "busier") assert((freeMilliCores ?? 0) > (free[chosen] ?? 0));
        if (outcome === "more_sessions") assert(active > (rows[chosen]?.active ?? 0));
      }
    },
  ));
});

Deno.test("a snapshot says why the winner won", () => {
  const table = PickTable.allocate(8);
  const taken = new Set<number>();
  const names = ["a", "b", "c"].map((backend) => ({ backend }));
  for (const free of [5000, 4990, 1000]) {
    const at = table.claim(taken);
    taken.add(at);
    table.write(at, ELIGIBLE, 1);
    table.write(at, FREE_MILLI_CORES, free);
  }
  const words = new Int32Array(SNAPSHOT_WORDS);
  const why = (kernel: typeof KERNELS[number]): string => {
    table.kernel = kernel;
    const choice = new Choice();
    release(table, pick(table, null, 0.3, choice));
    takeSnapshot(table, null, choice, 0, words);
    return readSnapshot(words, 0, names).why;
  };
  assertEquals(KERNELS.slice(0, 4).map(why), ["turn", "most_free", "fewest", "chance"]);
  table.words[NEARLY_EQUAL] = 50;
  assertEquals(why("most_free"), "near_equal");
  table.write(0, ELIGIBLE, 0);
  assertEquals(why("most_free"), "most_free");
  table.write(1, ELIGIBLE, 0);
  assertEquals(KERNELS.slice(0, 4).map(why), ["only_one", "only_one", "only_one", "only_one"]);
  table.write(2, ELIGIBLE, 0);
  table.kernel = "most_free";
  const choice = new Choice();
  pick(table, null, 0, choice);
  takeSnapshot(table, null, choice, 0, words);
  assertEquals(readSnapshot(words, 0, names).why, "nobody");
});
