import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { tasksWantingCpu } from "../../../../lib/core/estimate/disk_waits.ts";
import { LoadEstimator } from "../../../../lib/core/estimate/load_estimate.ts";
import { Pressure } from "../../../support/simulation/pressure.ts";

Deno.test("tasks beyond the cores count as far as some waited for a CPU", () => {
  const of = (pressure: number | undefined) => tasksWantingCpu(40, 16, pressure, 10_000);
  assertEquals(of(undefined), 40);
  assertEquals(of(0), 16);
  assertAlmostEquals(of(0.025), 28);
  assertEquals(of(0.05), 40);
  assertEquals(of(1), 40);
});

Deno.test("pressure tells nothing of tasks up to the cores, nor of long intervals", () => {
  assertEquals(tasksWantingCpu(12, 16, 0, 10_000), 12);
  assertEquals(tasksWantingCpu(40, 16, 0, 20_001), 40);
});

Deno.test("tasksWantingCpu() only ever lowers a number, and not below the cores", () => {
  const share = fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined });
  fc.assert(fc.property(
    fc.double({ min: 0, max: 1e4, noNaN: true }),
    fc.double({ min: 0.1, max: 512, noNaN: true }),
    share,
    fc.integer({ min: 0, max: 100_000 }),
    (tasks, cores, pressure, intervalMs) => {
      const left = tasksWantingCpu(tasks, cores, pressure, intervalMs);
      assert(left <= tasks && left >= Math.min(tasks, cores));
    },
  ));
});

Deno.test("an estimate goes by what wants a CPU, as soon as pressure is told", () => {
  const estimator = new LoadEstimator();
  estimator.track(0, 8, 0, 0);
  let now = 0;
  const sample = (pressure: number | undefined) => {
    now += 10_000;
    estimator.observePressure(0, pressure);
    estimator.observeSample(0, 30, now);
    return estimator.estimate(0, now)?.running ?? NaN;
  };
  assertAlmostEquals(sample(0), 8);
  assertAlmostEquals(sample(0), 8);
  // A source that tells it no more: all count again.
  assertAlmostEquals(sample(undefined), 30);
});

Deno.test("Pressure is an exponential mean over 10 s of whether somebody waits", () => {
  const pressure = new Pressure();
  pressure.advance(10, true);
  assertAlmostEquals(pressure.shown, 1 - Math.exp(-1), 1e-4);
  pressure.advance(10, false);
  assertAlmostEquals(pressure.shown, 1 - Math.exp(-1), 1e-4);
  pressure.advance(110, false);
  assertEquals(pressure.shown, 0);
});
