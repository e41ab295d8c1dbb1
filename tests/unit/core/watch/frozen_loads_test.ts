import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { FrozenLoads } from "../../../../lib/core/watch/frozen_loads.ts";
import type { LoadSample } from "../../../../lib/core/pool/load.ts";
import type { Pool } from "../../../../lib/core/pool/pool.ts";
import { Chance } from "../../../support/chance.ts";
import { runningPool, texts } from "../../../support/pools.ts";

const STEP_MS = 5000;

/** The kernel's fixed point: 11 bits, and e^(-5/60) in them (include/linux/sched/loadavg.h). */
const FIXED_1 = 2048;
const EXP_1 = 1884;

function watched() {
  const pool = runningPool(["a", "b"]);
  const frozen = new FrozenLoads();
  return {
    pool,
    frozen,
    sample: (
      load1: number,
      takenAtMs: number,
      { average = true, total = 0, instant = false } = {},
    ) => texts(frozen.observe(pool, "a", { load1, takenAtMs, instant }, average, total)),
  };
}

function isDoubted(pool: Pool): boolean {
  return pool.member("a")?.loadDoubt !== undefined;
}

Deno.test("FrozenLoads doubt a load between whole numbers that stands for two minutes", () => {
  const { pool, sample } = watched();
  for (let i = 0; i < 12; i++) assertEquals(sample(0.37, i * 10_000), []);
  assertStringIncludes(sample(0.37, 120_000)[0] ?? "", "reports a load of 0.37 and nothing else");
  assertEquals(pool.members.map((member) => pool.freshLoad(member, 120_000)?.load1), [
    undefined,
    undefined,
  ]);
  assertEquals(sample(0.37, 130_000), []);
  assertEquals(sample(0.38, 140_000), ["a reports a load that moves: 0.38"]);
  assert(!isDoubted(pool));
});

Deno.test("FrozenLoads leave memory and pressure alone while one of them moves", () => {
  const { pool, frozen } = watched();
  const observe = (takenAtMs: number, figures: Partial<LoadSample>) => {
    const sample = { load1: 0.37, takenAtMs, ...figures };
    pool.observeLoad("a", { kind: "sample", sample }, takenAtMs);
    frozen.observe(pool, "a", sample, true, 0);
    const member = pool.member("a");
    assert(member !== undefined);
    return [pool.freshLoad(member, takenAtMs), pool.freshFigures(member, takenAtMs)]
      .map((known) => known !== undefined);
  };
  const still = { memoryAvailableBytes: 2 ** 30, cpuPressure: 0.25, memoryPressure: 0 };
  for (const key of ["memoryAvailableBytes", "cpuPressure", "memoryPressure"] as const) {
    frozen.forget(pool, "a");
    for (let i = 0; i < 12; i++) assertEquals(observe(i * 10_000, still), [true, true]);
    // All stand still: nothing is believed, until one of them moves.
    assertEquals(observe(120_000, still), [false, false]);
    const moved = { ...still, [key]: 0.5 };
    for (let i = 13; i < 25; i++) assertEquals(observe(i * 10_000, moved), [false, true], key);
    assertEquals(observe(250_000, moved), [false, false]);
    assertEquals(observe(250_000, still), [false, false], "the same sample, shown again");
    assertEquals(observe(260_000, still), [false, true]);
  }
  frozen.forget(pool, "a");
  assertEquals(observe(270_000, still), [true, true]);
});

Deno.test("FrozenLoads let whole numbers stand until many sessions have left no trace", () => {
  const { pool, sample } = watched();
  for (let i = 0; i < 10_000; i++) assertEquals(sample(4, i * 10_000, { total: 7 }), []);
  sample(4, 1e8, { total: 306 });
  assert(!isDoubted(pool));
  assertStringIncludes(sample(4, 1e8 + 10_000, { total: 307 })[0] ?? "", "given 300 sessions");
});

Deno.test("FrozenLoads count only samples that are new, and only of the kernel's average", () => {
  const { pool, frozen, sample } = watched();
  // Two readings, shown again and again.
  for (let i = 0; i < 100; i++) sample(0.37, i < 50 ? 0 : 200_000);
  for (let i = 0; i < 100; i++) sample(0.5, i * 10_000, { average: false });
  for (let i = 0; i < 100; i++) sample(0.5, i * 10_000, { instant: true });
  assert(!isDoubted(pool));
  for (let i = 0; i < 20; i++) sample(0.5, i * 10_000);
  assert(isDoubted(pool));
  frozen.forget(pool, "a");
  assert(!isDoubted(pool));
});

Deno.test("FrozenLoads doubt no kernel: 4,000 machine hours of tasks that come and go", () => {
  const seed = 20_261_121;
  const chance = new Chance(seed);
  const between = (low: number, high: number) => low + (high - low) * chance.next();
  for (let machine = 0; machine < 40; machine++) {
    const { pool, sample } = watched();
    // From idle machines with a rare daemon to such on which programs compute for hours.
    const comeRate = 10 ** between(-3, -0.5);
    const goRate = 10 ** between(-3, -0.3);
    let load = 0;
    let tasks = 0;
    let nextSampleMs = 0;
    for (let nowMs = 0; nowMs < 100 * 3_600_000; nowMs += STEP_MS) {
      if (chance.next() < comeRate) tasks++;
      if (tasks > 0 && chance.next() < goRate) tasks--;
      const active = tasks * FIXED_1;
      const up = active >= load ? FIXED_1 - 1 : 0;
      load = Math.floor((load * EXP_1 + active * (FIXED_1 - EXP_1) + up) / FIXED_1);
      if (nowMs < nextSampleMs) continue;
      nextSampleMs = nowMs + 10_000 * between(0.9, 1.1);
      sample(Math.floor((load / FIXED_1 + 0.005) * 100) / 100, nowMs);
      assert(!isDoubted(pool), `seed ${seed}, machine ${machine}, ${nowMs} ms, load ${load}`);
    }
  }
});
