import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
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
  BACKUP_LAST,
  ELIGIBLE,
  FREE_MILLI_CORES,
  FRESH,
  MAX_CONNECTIONS,
  PACE_LIMIT,
  PickTable,
  TOTAL,
  WEIGHT,
  WEIGHTED,
} from "../../../../lib/core/pick/pick_table.ts";
import { KERNEL_NAMES, type PickKernel } from "../../../../lib/core/pick/kernels/registry.ts";
import { CHOOSING_KERNELS, setKernel } from "../../../support/tables.ts";

interface Row {
  readonly eligible?: boolean;
  readonly free?: number;
  readonly active?: number;
  readonly max?: number;
}

function tableOf(kernel: PickKernel, rows: readonly Row[]): PickTable {
  const table = PickTable.allocate(Math.max(1, rows.length));
  const taken = new Set<number>();
  for (const { eligible = true, free = 0, active = 0, max = 0 } of rows) {
    const row = table.claim(taken);
    taken.add(row);
    table.write(row, ELIGIBLE, eligible ? 1 : 0);
    table.write(row, FREE_MILLI_CORES, free);
    table.write(row, ACTIVE, active);
    table.write(row, MAX_CONNECTIONS, max);
  }
  setKernel(table, kernel);
  return table;
}

function picks(table: PickTable, count: number): number[] {
  const choice = new Choice();
  return Array.from({ length: count }, () => pick(table, null, 0.5, choice));
}

Deno.test("rotation starts at the first row and takes turns among the eligible", () => {
  const table = tableOf("rotation", [{}, { eligible: false }, {}, {}]);
  assertEquals(picks(table, 7), [0, 2, 3, 0, 2, 3, 0]);
});

Deno.test("most_free takes the most free cores; the lowest row wins ties", () => {
  assertEquals(picks(tableOf("most_free", [{ free: 4000 }, { free: 9000 }]), 2), [1, 1]);
  assertEquals(picks(tableOf("most_free", [{ free: 5 }, { free: 5 }, { free: 5 }]), 2), [0, 0]);
  assertEquals(picks(tableOf("most_free", [{ free: -9000 }, { free: -100 }]), 1), [1]);
});

Deno.test("most_free names the runner-up with its numbers", () => {
  const choice = new Choice();
  const table = tableOf("most_free", [{ free: 2, active: 3 }, { free: 9 }, { free: 4, active: 1 }]);
  assertEquals(pick(table, null, 0, choice), 1);
  assertEquals([choice.free, choice.active], [9, 0]);
  assertEquals([choice.runnerUp, choice.runnerUpFree, choice.runnerUpActive], [2, 4, 1]);
});

Deno.test("least_connections takes the fewest tunnels and lets equals take turns", () => {
  assertEquals(picks(tableOf("least_connections", [{ active: 2 }, { active: 1 }]), 1), [1]);
  assertEquals(picks(tableOf("least_connections", [{}, {}, {}]), 6), [0, 1, 2, 0, 1, 2]);
});

Deno.test("random reaches every usable row, each as often as the next", () => {
  const table = tableOf("random", [{}, { eligible: false }, {}, { max: 1, active: 1 }]);
  const choice = new Choice();
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 1000; i++) {
    const row = pick(table, null, i / 1000, choice);
    counts[row] = (counts[row] ?? 0) + 1;
  }
  assertEquals(counts, [500, 0, 500, 0]);
});

Deno.test("a pick reserves a place, release gives it back", () => {
  const table = tableOf("rotation", [{ max: 2 }]);
  assertEquals(picks(table, 3), [0, 0, -1]);
  release(table, 0, 0);
  assertEquals(picks(table, 2), [0, -1]);
  countTunnel(table, 0);
  assertEquals([table.read(0, ACTIVE), table.read(0, TOTAL)], [2, 1]);
});

Deno.test("rows that were tried are left out", () => {
  for (const kernel of CHOOSING_KERNELS) {
    const table = tableOf(kernel, [{ free: 9 }, { free: 5 }, { free: 1 }]);
    const tried = new Tried();
    const seen = new Set<number>();
    for (let i = 0; i < 3; i++) {
      const row = pick(table, tried, 0, new Choice());
      tried.add(row);
      seen.add(row);
    }
    assertEquals([...seen].sort(), [0, 1, 2], kernel);
    assertEquals(pick(table, tried, 0, new Choice()), -1, kernel);
  }
});

Deno.test("backups take what no other can, the better ones first, and no more", () => {
  for (const kernel of CHOOSING_KERNELS) {
    const rows = [{ free: 9000 }, { free: 1, max: 2 }, { free: 5000, max: 1 }, { free: 90_000 }];
    const table = tableOf(kernel, rows);
    table.write(0, ELIGIBLE, BACKUP_LAST);
    table.write(2, ELIGIBLE, BACKUP);
    table.write(3, ELIGIBLE, 0);
    assertEquals(picks(table, 5), [1, 1, 2, 0, 0], kernel);
    release(table, 1, 0);
    assertEquals(picks(table, 2), [1, 0], kernel);
    release(table, 1, 0);
    const tried = new Tried();
    const choice = new Choice();
    for (const expected of [1, 0, -1]) {
      const row = pick(table, tried, 0, choice);
      assertEquals(row, expected, kernel);
      tried.add(row);
    }
  }
});

Deno.test("no kernel ever picks a row that is not eligible, full or tried, nor misses the last one", () => {
  const row = fc.record({
    eligible: fc.boolean(),
    free: fc.integer({ min: -100_000, max: 100_000 }),
    active: fc.integer({ min: 0, max: 3 }),
    max: fc.integer({ min: 0, max: 3 }),
    weight: fc.integer({ min: 1, max: 4 }),
    fresh: fc.nat(9),
  });
  fc.assert(
    fc.property(
      fc.constantFrom(...CHOOSING_KERNELS),
      fc.array(row, { maxLength: 12 }),
      fc.array(fc.nat(11), { maxLength: 6 }),
      fc.float({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.nat(4),
      (kernel, rows, skip, random, pace) => {
        const table = tableOf(kernel, rows);
        table.words[PACE_LIMIT] = pace;
        table.words[WEIGHTED] = 1;
        rows.forEach(({ weight, fresh }, row) => {
          table.write(row, WEIGHT, weight * 1000);
          table.write(row, FRESH, fresh);
        });
        const tried = new Tried();
        for (const one of skip) tried.add(one);
        const usable = rows.map(({ eligible, active, max }, index) =>
          eligible && (max === 0 || active < max) && !skip.includes(index)
        );
        const picked = pick(table, tried, random, new Choice());
        if (usable.includes(true)) assert(usable[picked] === true, `${kernel} picked ${picked}`);
        else assertEquals(picked, -1);
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("a table gives rows to those that join, and says when it is full", () => {
  const table = PickTable.allocate(2);
  assertEquals([table.claim(new Set()), table.claim(new Set([0]))], [0, 1]);
  table.write(0, ACTIVE, 5);
  assertEquals(table.claim(new Set([1])), 0);
  assertEquals(table.read(0, ACTIVE), 0);
  let message = "";
  try {
    table.claim(new Set([0, 1]));
  } catch (error) {
    message = String(error);
  }
  assert(message.includes("2 already"));
});

Deno.test("another thread's view of the same memory sees the same table", () => {
  const table = tableOf("most_free", [{ free: 1 }, { free: 2 }]);
  const other = new PickTable(table.buffer);
  assertEquals(pick(other, null, 0, new Choice()), 1);
  assertEquals([table.read(1, ACTIVE), KERNEL_NAMES[other.kernel], other.rows], [
    1,
    "most_free",
    2,
  ]);
});
