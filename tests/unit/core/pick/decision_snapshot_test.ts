import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  drawWord,
  SNAPSHOT_ROWS,
  SNAPSHOT_WORDS,
  takeSnapshot,
} from "../../../../lib/core/pick/decision_snapshot.ts";
import { readSnapshot } from "../../../../lib/core/pick/snapshot_reader.ts";
import {
  Choice,
  countTunnel,
  pick,
  release,
  Tried,
} from "../../../../lib/core/pick/pick_kernels.ts";
import {
  ACTIVE,
  BACKUP,
  COST_MILLI_CORES,
  ELIGIBLE,
  FREE_MILLI_CORES,
  FRESH,
  MAX_CONNECTIONS,
  NEARLY_EQUAL,
  ORDER,
  PACE_LIMIT,
  PickTable,
  SCALE_ABOVE,
  SCALE_UNIT,
  STANDING,
  STICKY_SECONDS,
  UNKNOWN_FREE,
  WEIGHT,
  WEIGHT_UNIT,
} from "../../../../lib/core/pick/pick_table.ts";
import { KERNEL_NAMES } from "../../../../lib/core/pick/kernels/registry.ts";
import { Source } from "../../../../lib/core/pick/source.ts";
import { STANDINGS } from "../../../../lib/core/pool/standing.ts";
import { CHOOSING_KERNELS, setKernel } from "../../../support/tables.ts";

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
    fc.constantFrom(...CHOOSING_KERNELS),
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
      setKernel(table, kernel);
      table.words[NEARLY_EQUAL] = nearlyEqual;
      const names = rows.map(({ named }, index) => named ? { backend: `b${index}` } : undefined);
      const free = rows.map((_, index) => table.freeMilliCores(index));
      const choice = new Choice();
      const chosen = pick(table, tried, random, choice);
      const words = new Int32Array(7 + SNAPSHOT_WORDS);
      const length = takeSnapshot(table, tried, choice, drawWord(random), words.subarray(7));
      assertEquals(length, 5 + 6 * Math.min(rows.length, SNAPSHOT_ROWS));
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
        if (outcome === "worse_of_two") {
          assertEquals([kernel, index], ["two_choices", choice.runnerUp]);
        }
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
  const why = (kernel: typeof KERNEL_NAMES[number]): string => {
    setKernel(table, kernel);
    const choice = new Choice();
    release(table, pick(table, null, 0.3, choice), choice.step);
    takeSnapshot(table, null, choice, 0, words);
    return readSnapshot(words, 0, names).why;
  };
  assertEquals(CHOOSING_KERNELS.map(why), [
    "turn",
    "most_free",
    "fewest",
    "chance",
    "better_of_two",
    "hash",
    "first_with_room",
  ]);
  table.words[NEARLY_EQUAL] = 50;
  assertEquals(why("most_free"), "near_equal");
  table.write(0, ELIGIBLE, 0);
  assertEquals(why("most_free"), "most_free");
  table.write(1, ELIGIBLE, 0);
  assertEquals([...new Set(CHOOSING_KERNELS.map(why))], ["only_one"]);
  table.write(2, ELIGIBLE, 0);
  setKernel(table, "most_free");
  const choice = new Choice();
  pick(table, null, 0, choice);
  takeSnapshot(table, null, choice, 0, words);
  assertEquals(readSnapshot(words, 0, names).why, "nobody");
});

Deno.test("a snapshot tells a backup from a backend that was full", () => {
  for (const kernel of CHOOSING_KERNELS) {
    const table = tableOf(kernel, [9000, 1000, 5000]);
    table.write(0, ELIGIBLE, BACKUP);
    table.write(0, STANDING, STANDINGS.indexOf("memory"));
    table.write(1, MAX_CONNECTIONS, 1);
    table.write(2, ELIGIBLE, 0);
    table.write(2, STANDING, STANDINGS.indexOf("down"));
    assertEquals(explain(table, 3), { why: "only_one", outcomes: ["memory", "chosen", "down"] });
    assertEquals(explain(table, 3), { why: "backup", outcomes: ["chosen", "full", "down"] });
  }
});

Deno.test("a snapshot tells less weight from more load", () => {
  const table = tableOf("most_free", [9000, 1000, 5000]);
  table.write(1, SCALE_ABOVE, 30 * SCALE_UNIT);
  assertEquals(explain(table, 3).outcomes, ["busier", "chosen", "busier"]);
  table.write(1, WEIGHT, 30 * WEIGHT_UNIT);
  assertEquals(explain(table, 3).outcomes, ["lighter", "chosen", "lighter"]);
});

/** What a pick of a small table is said to be, and what became of each row. */
function explain(
  table: PickTable,
  rows: number,
  source?: Source,
): { why: string; outcomes: readonly string[] } {
  const choice = new Choice();
  const words = new Int32Array(SNAPSHOT_WORDS);
  pick(table, null, 0, choice, source);
  takeSnapshot(table, null, choice, 0, words);
  const names = Array.from({ length: rows }, (_, row) => ({ backend: `${row}` }));
  const { why, backends } = readSnapshot(words, 0, names);
  const byRow = backends.toSorted((a, b) => Number(a.backend) - Number(b.backend));
  return { why, outcomes: byRow.map(({ outcome }) => outcome) };
}

function tableOf(kernel: typeof KERNEL_NAMES[number], free: readonly number[]): PickTable {
  const table = PickTable.allocate(8, 16);
  const taken = new Set<number>();
  for (const [order, milliCores] of free.entries()) {
    const row = table.claim(taken, order + 1);
    taken.add(row);
    table.write(row, ELIGIBLE, 1);
    table.write(row, ORDER, order);
    table.write(row, FREE_MILLI_CORES, milliCores);
  }
  setKernel(table, kernel);
  return table;
}

Deno.test("a snapshot tells who stands where in a list that is filled from the top", () => {
  assertEquals(explain(tableOf("first", [-500, 300, 9000, UNKNOWN_FREE]), 4), {
    why: "first_with_room",
    outcomes: ["no_room", "chosen", "later", "load_unknown"],
  });
  assertEquals(explain(tableOf("first", [-500, -300]), 2), {
    why: "most_free",
    outcomes: ["less_free", "chosen"],
  });
});

Deno.test("a snapshot tells who stands back, and who came back", () => {
  const table = tableOf("most_free", [9000, 5000, 4000]);
  table.words[PACE_LIMIT] = 1;
  table.write(0, FRESH, 1);
  assertEquals(explain(table, 3), {
    why: "most_free",
    outcomes: ["paced", "chosen", "less_free"],
  });

  table.words[PACE_LIMIT] = 0;
  table.words[STICKY_SECONDS] = 60;
  const source = new Source();
  source.setIpv4(0x0a000001);
  countTunnel(table, 2, source);
  assertEquals(explain(table, 3, source), {
    why: "sticky",
    outcomes: ["not_chosen", "not_chosen", "chosen"],
  });
});
