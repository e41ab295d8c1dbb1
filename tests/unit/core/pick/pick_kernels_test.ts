import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Choice, MAX_TRIES, pick, release, Tried } from "../../../../lib/core/pick/pick_kernels.ts";
import {
  ACTIVE,
  BASE_ACTIVE,
  COST_MILLI_CORES,
  ELIGIBLE,
  FREE_MILLI_CORES,
  MAX_CONNECTIONS,
  NEARLY_EQUAL,
  PickTable,
  SCALE_ABOVE,
  SCALE_BELOW,
  SCALE_UNIT,
  UNKNOWN_FREE,
} from "../../../../lib/core/pick/pick_table.ts";
import { within } from "../../../support/wait_for.ts";
import { CHOOSING_KERNELS, setKernel } from "../../../support/tables.ts";

interface Row {
  readonly free: number;
  readonly cost?: number;
  readonly max?: number;
  readonly eligible?: boolean;
}

function tableOf(rows: readonly Row[]): PickTable {
  const table = PickTable.allocate(Math.max(1, rows.length));
  setKernel(table, "most_free");
  const taken = new Set<number>();
  for (const { free, cost = 0, max = 0, eligible = true } of rows) {
    const row = table.claim(taken);
    taken.add(row);
    table.write(row, ELIGIBLE, eligible ? 1 : 0);
    table.write(row, FREE_MILLI_CORES, free);
    table.write(row, COST_MILLI_CORES, cost);
    table.write(row, MAX_CONNECTIONS, max);
  }
  return table;
}

function activeOf(table: PickTable): number[] {
  return Array.from({ length: table.rows }, (_, row) => table.read(row, ACTIVE));
}

const anyRow: fc.Arbitrary<Row> = fc.record({
  free: fc.oneof(fc.integer({ min: -50_000, max: 200_000 }), fc.constant(UNKNOWN_FREE)),
  cost: fc.integer({ min: 0, max: 2000 }),
  max: fc.integer({ min: 0, max: 4 }),
  eligible: fc.boolean(),
});

Deno.test("most_free gives the row with the most free cores and takes the cost at once", () => {
  const table = tableOf([{ free: 4000, cost: 1000 }, { free: 6000, cost: 1000 }]);
  const choice = new Choice();
  const order = Array.from({ length: 6 }, () => pick(table, null, 0, choice));
  // 6 > 4, 5 > 4, then equals: the lowest row first.
  assertEquals(order, [1, 1, 0, 1, 0, 1]);
  assertEquals([table.freeMilliCores(0), table.freeMilliCores(1)], [2000, 2000]);
  assertEquals([choice.free, choice.active, choice.runnerUp], [3000, 3, 0]);
});

Deno.test("a release gives the cost back", () => {
  const table = tableOf([{ free: 4000, cost: 1500 }, { free: 3000, cost: 1500 }]);
  const choice = new Choice();
  assertEquals(pick(table, null, 0, choice), 0);
  assertEquals(pick(table, null, 0, choice), 1);
  release(table, 0, 0);
  assertEquals([table.freeMilliCores(0), table.freeMilliCores(1)], [4000, 1500]);
});

Deno.test("tunnels that stood when the row was written are not charged again", () => {
  const table = tableOf([{ free: 4000, cost: 1000 }]);
  table.write(0, ACTIVE, 7);
  table.write(0, BASE_ACTIVE, 7);
  assertEquals(table.freeMilliCores(0), 4000);
  release(table, 0, 0);
  assertEquals(table.freeMilliCores(0), 5000);
});

Deno.test("picks fill like water: at the end no move of one session makes things more even", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 100_000 }), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 3000 }),
      (frees, picks, cost) => {
        const table = tableOf(frees.map((free) => ({ free, cost })));
        const choice = new Choice();
        for (let i = 0; i < picks; i++) pick(table, null, 0.5, choice);
        const left = frees.map((_, row) => table.freeMilliCores(row));
        const most = Math.max(...left);
        activeOf(table).forEach((active, row) => {
          // Who got a session had the most before it.
          if (active > 0) assert((left[row] ?? 0) + cost >= most);
        });
        assertEquals(activeOf(table).reduce((sum, active) => sum + active, 0), picks);
      },
    ),
  );
});

Deno.test("every kernel gives only rows that may be given, and keeps count", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...CHOOSING_KERNELS),
      fc.array(anyRow, { maxLength: 12 }),
      fc.array(
        fc.record({
          random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
          near: fc.nat(5000),
        }),
        {
          maxLength: 60,
        },
      ),
      (kernel, rows, picks) => {
        const table = tableOf(rows);
        setKernel(table, kernel);
        const choice = new Choice();
        const held = rows.map(() => 0);
        for (const { random, near } of picks) {
          table.words[NEARLY_EQUAL] = near;
          const row = pick(table, null, random, choice);
          const open = rows.map(({ eligible, max = 0 }, i) =>
            eligible === true && (max === 0 || (held[i] ?? 0) < max)
          );
          assertEquals(row >= 0, open.includes(true));
          if (row < 0) continue;
          assert(open[row]);
          held[row] = (held[row] ?? 0) + 1;
          assert(choice.runnerUp !== row);
        }
        assertEquals(activeOf(table), held);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("rows that were tried are left out, up to the last", () => {
  const table = tableOf([{ free: 3000 }, { free: 2000 }, { free: 1000 }]);
  const tried = new Tried();
  const choice = new Choice();
  const order: number[] = [];
  for (let i = 0; i < 4; i++) {
    const row = pick(table, tried, 0.99, choice);
    order.push(row);
    if (row >= 0) tried.add(row);
  }
  assertEquals(order, [0, 1, 2, -1]);
  assert(MAX_TRIES >= 4);
});

Deno.test("an unknown load stands below every number, the fewest tunnels first", () => {
  const table = tableOf([
    { free: UNKNOWN_FREE },
    { free: -900_000, cost: 1000, max: 1 },
    { free: UNKNOWN_FREE },
  ]);
  const choice = new Choice();
  const order = Array.from({ length: 4 }, () => pick(table, null, 0, choice));
  assertEquals(order, [1, 0, 2, 0]);
  assertEquals(choice.free, UNKNOWN_FREE);
});

Deno.test("scales weigh what is free, and what is lacking, row by row", () => {
  const table = tableOf([{ free: 8000 }, { free: 6000 }]);
  table.write(0, SCALE_ABOVE, SCALE_UNIT / 2);
  assertEquals(pick(table, null, 0, new Choice()), 1);
  const short = tableOf([{ free: -2000 }, { free: -1000 }]);
  short.write(0, SCALE_BELOW, 30_000);
  short.write(1, SCALE_BELOW, 250_000);
  assertEquals(pick(short, null, 0, new Choice()), 0);
});

Deno.test("near-equals are drawn in proportion to how far they are above the line", () => {
  const table = tableOf([{ free: 10_000 }, { free: 9950 }, { free: 9900 }, { free: 9000 }]);
  table.words[NEARLY_EQUAL] = 100;
  const choice = new Choice();
  const draws = 3000;
  for (let i = 0; i < draws; i++) pick(table, null, i / draws, choice);
  // 100 and 50 above the line at 9900; the third is on it.
  assertEquals(activeOf(table), [2000, 1000, 0, 0]);
});

Deno.test("threads that pick at once fill as one would", async () => {
  const frees = [40_000, 31_000, 12_000, 3000];
  const cost = 100;
  const table = tableOf(frees.map((free) => ({ free, cost })));
  const workers = 4;
  const each = 150;
  const source = `
    import { Choice, pick } from ${JSON.stringify(kernelsUrl())};
    import { PickTable } from ${JSON.stringify(tableUrl())};
    self.onmessage = ({ data }) => {
      const table = new PickTable(data.buffer);
      const gate = new Int32Array(data.gate);
      const choice = new Choice();
      // All begin at once, or the first would be done before the last has started.
      Atomics.add(gate, 0, 1);
      while (Atomics.load(gate, 0) < ${workers});
      let got = 0;
      for (let i = 0; i < ${each}; i++) if (pick(table, null, 0, choice) >= 0) got++;
      self.postMessage(got);
    };`;
  const url = URL.createObjectURL(new Blob([source], { type: "application/typescript" }));
  const gate = new SharedArrayBuffer(4);
  const crew = Array.from({ length: workers }, () => new Worker(url, { type: "module" }));
  try {
    const got = await within(
      "the picks",
      Promise.all(crew.map((worker) =>
        new Promise<number>((resolve, reject) => {
          worker.onmessage = ({ data }) => resolve(Number(data));
          worker.onerror = (event) => reject(new Error(event.message));
          worker.postMessage({ buffer: table.buffer, gate });
        })
      )),
      20_000,
    );
    assertEquals(got, [each, each, each, each]);
  } finally {
    for (const worker of crew) worker.terminate();
    URL.revokeObjectURL(url);
  }
  const alone = tableOf(frees.map((free) => ({ free, cost })));
  const choice = new Choice();
  for (let i = 0; i < workers * each; i++) pick(alone, null, 0, choice);
  const together = activeOf(table);
  assertEquals(together.reduce((sum, active) => sum + active, 0), workers * each);
  activeOf(alone).forEach((active, row) => {
    assert(Math.abs(active - (together[row] ?? 0)) <= workers, `${together} against ${active}`);
  });
});

function kernelsUrl(): string {
  return new URL("../../../../lib/core/pick/pick_kernels.ts", import.meta.url).href;
}

function tableUrl(): string {
  return new URL("../../../../lib/core/pick/pick_table.ts", import.meta.url).href;
}
