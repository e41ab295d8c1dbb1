import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { FreeCores } from "../../../../lib/core/estimate/free_cores.ts";
import { Choice, countTunnel, pick, release } from "../../../../lib/core/pick/pick_kernels.ts";
import {
  ACTIVE,
  COST_MILLI_CORES,
  ELIGIBLE,
  PickTable,
  TOTAL,
  UNKNOWN_FREE,
} from "../../../../lib/core/pick/pick_table.ts";
import { YoungSteps } from "../../../../lib/core/pick/young.ts";
import { setKernel } from "../../../support/tables.ts";
import { viewOf } from "../../../support/views.ts";

function tableOf(rows: number): PickTable {
  const table = PickTable.allocate(rows);
  const taken = new Set<number>();
  for (let row = 0; row < rows; row++) taken.add(table.claim(taken));
  for (let row = 0; row < rows; row++) table.write(row, ELIGIBLE, 1);
  setKernel(table, "most_free");
  return table;
}

function login(table: PickTable): number {
  const row = pick(table, null, 0.5, new Choice());
  if (row >= 0) countTunnel(table, row);
  return row;
}

Deno.test("a first sample gives cores less load1", () => {
  const table = tableOf(2);
  const freeCores = new FreeCores();
  const backends = [
    { row: 0, id: "a", cores: 8, load1: 2.5, takenAtMs: 1000, usable: true },
    { row: 1, id: "b", cores: 4, usable: true },
  ];
  freeCores.write(viewOf(backends), table, 1000);
  assertEquals([table.freeMilliCores(0), table.freeMilliCores(1)], [5500, UNKNOWN_FREE]);
  assert(table.read(0, COST_MILLI_CORES) > 0);
});

Deno.test("a class that logs in between two samples is dealt out by what is free", () => {
  const cores = [32, 16, 8, 8];
  const load = [4, 2, 1, 7];
  const backends = cores.map((count, row) => ({
    row,
    id: `b${row}`,
    cores: count,
    load1: load[row] ?? 0,
    takenAtMs: 1000,
    usable: true,
  }));
  const table = tableOf(cores.length);
  const freeCores = new FreeCores();
  freeCores.write(viewOf(backends), table, 1000);
  const got = cores.map(() => 0);
  assertEquals(freeCores.burstCost, 0);
  const steps = new YoungSteps(table, 1000);
  steps.setWithin(10_000);
  for (let i = 0; i < 60; i++) {
    steps.advance(1000 + 1000 * i);
    // One a second, and the control plane writes once in between.
    freeCores.write(viewOf(backends), table, 1000 + 1000 * i);
    const row = login(table);
    got[row] = (got[row] ?? 0) + 1;
  }
  const sum = cores.reduce((total, count, row) => total + count - (load[row] ?? 0), 0);
  const largest = got.indexOf(Math.max(...got));
  const fair = ((cores[largest] ?? 0) - (load[largest] ?? 0)) / sum;
  const herd = (got[largest] ?? 0) / 60 / fair;
  assert(herd <= 1.3, `herd index ${herd}: ${got}`);
  freeCores.write(viewOf(backends), table, 61_000);
  assert(freeCores.burstCost > 0.2, String(freeCores.burstCost));
  steps.advance(150_000);
  freeCores.write(viewOf(backends), table, 150_000);
  assertEquals(freeCores.burstCost, 0);
});

Deno.test("free memory, where it counts, decides among backends with as many free cores", () => {
  const backends = (load1: number, factors: readonly number[]) =>
    factors.map((memoryFactor, row) => ({
      ...{ row, id: `b${row}`, cores: 8, load1, takenAtMs: 1000, usable: true },
      memoryFactor,
    }));
  for (const load1 of [2, 20]) {
    for (const [factors, chosen] of [[[0.5, 1], 1], [[1, 0.5], 0], [[0.9, 0.1], 0]] as const) {
      const table = tableOf(2);
      new FreeCores().write(viewOf(backends(load1, factors)), table, 1000);
      assertEquals(login(table), chosen, `load ${load1}, factors ${factors}`);
      // What people see is cores.
      assertEquals(table.freeMilliCores(1 - chosen), (8 - load1) * 1000);
    }
  }
});

Deno.test("another backend in a row brings nothing of the one before", () => {
  const table = tableOf(1);
  const freeCores = new FreeCores();
  const sample = { row: 0, cores: 8, usable: true };
  for (let i = 1; i <= 50; i++) {
    freeCores.write(
      viewOf([{ ...sample, id: "old", load1: 6, takenAtMs: i * 10_000 }]),
      table,
      i * 10_000,
    );
  }
  table.write(0, TOTAL, 5000);
  freeCores.write(viewOf([{ ...sample, id: "new", load1: 0, takenAtMs: 600_000 }]), table, 600_000);
  assertEquals(table.freeMilliCores(0), 8000);
});

Deno.test("a strategy made anew beside old tunnels sees no burst in them", () => {
  const table = tableOf(2);
  table.write(0, TOTAL, 90_000);
  table.write(0, ACTIVE, 40);
  const backends = [0, 1].map((row) => ({
    row,
    id: `b${row}`,
    cores: 16,
    load1: 4,
    takenAtMs: 1000,
    usable: true,
  }));
  new FreeCores().write(viewOf(backends), table, 1000);
  assertEquals(table.read(0, COST_MILLI_CORES), table.read(1, COST_MILLI_CORES));
  assert(table.read(0, COST_MILLI_CORES) <= 2000);
});

Deno.test("picks between writes cost what the next write says, give or take", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 5 }), (logins) => {
    const table = tableOf(1);
    const freeCores = new FreeCores();
    const backend = { row: 0, id: "a", cores: 64, load1: 10, takenAtMs: 1000, usable: true };
    freeCores.write(viewOf([backend]), table, 1000);
    for (let i = 0; i < logins; i++) login(table);
    const between = table.freeMilliCores(0);
    freeCores.write(viewOf([backend]), table, 1001);
    // The write may charge a burst, never less than the picks did.
    assert(table.freeMilliCores(0) <= between + 5, `${between} then ${table.freeMilliCores(0)}`);
    for (let i = 0; i < logins; i++) release(table, 0, 0);
    assertEquals(table.read(0, ACTIVE), 0);
  }));
});

Deno.test("whatever comes, what is written is a number and no backend that is out wins", () => {
  const sample = fc.record({
    load1: fc.double({ min: 0, max: 500, noNaN: true }),
    gapMs: fc.integer({ min: 0, max: 100_000 }),
    logins: fc.integer({ min: 0, max: 20 }),
    usable: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(sample, { maxLength: 40 }), (samples) => {
    const table = tableOf(3);
    const freeCores = new FreeCores();
    let now = 1000;
    for (const { load1, gapMs, logins, usable } of samples) {
      now += gapMs;
      const backends = [0, 1, 2].map((row) => ({
        row,
        id: `b${row}`,
        cores: 4 << row,
        load1: load1 / (row + 1),
        takenAtMs: now,
        usable: usable || row === 2,
      }));
      freeCores.write(viewOf(backends), table, now);
      for (const { row, usable } of backends) table.write(row, ELIGIBLE, usable ? 1 : 0);
      for (let i = 0; i < logins; i++) {
        const row = login(table);
        assert(row === 2 || usable);
      }
    }
  }));
});
