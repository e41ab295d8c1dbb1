import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { LoadEstimator } from "../../../../lib/core/estimate/load_estimate.ts";
import { LOAD_STEP_SECONDS, LoadAverage } from "../../../support/simulation/load_average.ts";
import { SessionCost } from "../../../../lib/core/estimate/session_cost.ts";

const ROW = 0;

/** A backend with the kernel's own filter, polled at the times that `gaps` (seconds) say. */
function poll(
  estimator: LoadEstimator,
  gaps: readonly number[],
  tasksAt: (seconds: number) => number,
  sessionsAt: (seconds: number) => number = () => 0,
): number {
  estimator.track(ROW, 16, 0, 0);
  const load = new LoadAverage(1.5);
  let now = 0;
  for (const gap of gaps) {
    const end = now + gap;
    while (now < end) {
      now = Math.min(end, now + 0.5);
      load.advance(now, tasksAt(now));
      estimator.observeSessions(ROW, sessionsAt(now), now * 1000);
    }
    estimator.observeSample(ROW, load.shown, now * 1000);
  }
  return now * 1000;
}

const anyGaps = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 60 });

Deno.test("a load that stays is estimated as it is, however it is polled", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 200 }), anyGaps, (tasks, gaps) => {
    const estimator = new LoadEstimator();
    const start = Array.from({ length: 60 }, () => 10);
    const now = poll(estimator, [...start, ...gaps], () => tasks);
    const estimate = estimator.estimate(ROW, now);
    assert(estimate !== undefined);
    assert(Math.abs(estimate.running - tasks) <= 0.3 + tasks / 20, `running ${estimate.running}`);
  }));
});

Deno.test("a step in load shows in the second sample after it, not a minute later", () => {
  const estimator = new LoadEstimator();
  const now = poll(estimator, Array.from({ length: 62 }, () => 10), (s) => s > 600 ? 20 : 0);
  const load = estimator.estimate(ROW, now);
  assert(load !== undefined);
  // load1 itself has come to 20 × 28 % by then.
  assertAlmostEquals(load.running, 20, 3);
});

Deno.test("a cost that the source tells stands for the learnt one, on that backend", () => {
  const estimator = new LoadEstimator();
  for (const row of [0, 1]) {
    estimator.track(row, 8, 0, 0);
    estimator.observeCost(row, row === 0 ? 3 : undefined);
    estimator.observeSample(row, 1, 1000);
    estimator.observeSessions(row, 1, 2000);
  }
  assertEquals(estimator.sessionLoad(0, 2000), 3);
  assertAlmostEquals(estimator.estimate(0, 2000)?.load ?? NaN, 4);
  assertAlmostEquals(estimator.sessionLoad(1, 2000), estimator.cost.fresh);
  assertAlmostEquals(estimator.estimate(1, 2000)?.load ?? NaN, 1 + estimator.cost.fresh, 0.01);
  estimator.observeCost(0, undefined);
  assertAlmostEquals(estimator.sessionLoad(0, 2000), estimator.cost.fresh);
});

Deno.test("samples that are missed widen the interval and nothing else", () => {
  const all = new LoadEstimator();
  const some = new LoadEstimator();
  const tasks = (seconds: number) => seconds > 300 ? 8 : 2;
  const now = poll(all, Array.from({ length: 90 }, () => 10), tasks);
  poll(some, Array.from({ length: 15 }, () => 60), tasks);
  const one = all.estimate(ROW, now);
  const other = some.estimate(ROW, now);
  assert(one !== undefined && other !== undefined);
  assertAlmostEquals(one.running, 8, 0.2);
  assertAlmostEquals(other.running, 8, 0.2);
});

Deno.test("a session counts when it comes, and once, not twice, when the load shows it", () => {
  const estimator = new LoadEstimator();
  // Ten sessions of one task each come at 600 s and are let run for two minutes.
  const come = (seconds: number) => seconds > 600 ? 10 : 0;
  const cost = () => estimator.cost.fresh;
  const before = poll(estimator, Array.from({ length: 60 }, () => 10), come, come);
  estimator.observeSessions(ROW, 10, before + 1);
  const atOnce = estimator.estimate(ROW, before + 1);
  assertAlmostEquals(atOnce?.running ?? NaN, 10 * cost(), 0.01);
  for (const seconds of [20, 40, 60, 120]) {
    const late = new LoadEstimator();
    const now = poll(late, Array.from({ length: 60 + seconds / 10 }, () => 10), come, come);
    const { running = NaN } = late.estimate(ROW, now) ?? {};
    assert(running > 7 && running < 13, `${running} after ${seconds} s`);
  }
});

Deno.test("an ended session is taken out before the load falls", () => {
  const estimator = new LoadEstimator();
  const now = poll(estimator, Array.from({ length: 90 }, () => 10), () => 10, () => 10);
  const before = estimator.estimate(ROW, now)?.load ?? NaN;
  estimator.observeSessions(ROW, 6, now + 1);
  const after = estimator.estimate(ROW, now + 1)?.load ?? NaN;
  assertAlmostEquals(before - after, 4 * estimator.sessionLoad(ROW, now + 1), 0.01);
});

Deno.test("sessions that stood before we looked are not counted twice", () => {
  const estimator = new LoadEstimator();
  estimator.track(ROW, 16, 10, 0);
  estimator.observeSample(ROW, 10, 1000);
  assertAlmostEquals(estimator.estimate(ROW, 1000)?.load ?? NaN, 10, 0.01);
});

Deno.test("without samples for hours, what sessions do not explain goes to the pool's mean", () => {
  const estimator = new LoadEstimator();
  for (const row of [0, 1]) {
    estimator.track(row, 16, 0, 0);
    for (let i = 1; i <= 100; i++) estimator.observeSample(row, row * 8, i * 10_000);
  }
  const load = (row: number, nowMs: number) => estimator.estimate(row, nowMs)?.load ?? NaN;
  assertAlmostEquals(load(1, 1_000_000) - load(0, 1_000_000), 8, 0.01);
  assertAlmostEquals(load(0, 20_000_000), 4, 0.1);
  assertAlmostEquals(load(1, 20_000_000), 4, 0.1);
});

Deno.test("any history gives a finite load, no less than 0, and an age that is true", () => {
  const event = fc.record({
    gapMs: fc.integer({ min: -5000, max: 4_000_000 }),
    load1: fc.oneof(
      fc.double({ min: 0, max: 5000, noNaN: true }),
      fc.constantFrom(NaN, -1, Infinity),
    ),
    sessions: fc.integer({ min: 0, max: 10_000 }),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      const estimator = new LoadEstimator();
      estimator.track(ROW, 16, 0, 0);
      let now = 0;
      let last = NaN;
      for (const { gapMs, load1, sessions } of events) {
        now = Math.max(0, now + gapMs);
        estimator.observeSample(ROW, load1, now);
        estimator.observeSessions(ROW, sessions, now);
        const estimate = estimator.estimate(ROW, now);
        if (estimate === undefined) continue;
        assert(Number.isFinite(estimate.load) && estimate.load >= 0, `load ${estimate.load}`);
        assert(Number.isFinite(estimate.running) && estimate.running >= 0);
        assert(estimate.ageMs >= 0);
        last = estimate.ageMs;
        const later = estimator.estimate(ROW, now + 1000);
        assert(later !== undefined && later.ageMs >= last);
        const { fresh, settled } = estimator.cost;
        assert(fresh >= 0.02 && fresh <= 2 && settled >= 0 && settled <= fresh);
        const taken = estimator.sessionLoad(ROW, now);
        assert(taken >= 0 && taken <= fresh + 1e-9);
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("a mean over seconds is the number of tasks itself, however soon it comes", () => {
  const estimator = new LoadEstimator();
  estimator.track(0, 8, 0, 0);
  const running = (nowMs: number) => estimator.estimate(0, nowMs)?.running;
  for (const [atMs, load1] of [[1000, 1], [2000, 7.5], [12_000, 0.25], [12_500, 4]] as const) {
    estimator.observeSample(0, load1, atMs, true);
    assertEquals(running(atMs), load1);
  }
  // A load average after it is the first of its kind; from the second on, lag is taken off.
  estimator.observeSample(0, 6, 20_000);
  assertEquals(running(20_000), 6);
  const later = shown(6, 10_000, 3);
  estimator.observeSample(0, later, 30_000);
  assertAlmostEquals(running(30_000) ?? NaN, 3, 1e-9);
});

Deno.test("a session counts beside a mean over seconds until that contains it", () => {
  const estimator = new LoadEstimator();
  const { fresh } = estimator.cost;
  estimator.track(0, 8, 0, 0);
  estimator.observeSample(0, 1, 10_000, true);
  estimator.observeSessions(0, 1, 10_000);
  assertAlmostEquals(estimator.estimate(0, 10_000)?.running ?? NaN, 1 + fresh, 1e-9);
  // The next mean is of 5 s in which the session stood: 1 - 1/e of it is in there.
  estimator.observeSample(0, 2, 15_000, true);
  const { fresh: learnt } = estimator.cost;
  const left = learnt / Math.E;
  assertAlmostEquals(estimator.estimate(0, 15_000)?.running ?? NaN, 2 + left, 1e-9);
  estimator.observeSample(0, 2, 60_000, true);
  assertAlmostEquals(estimator.estimate(0, 60_000)?.running ?? NaN, 2, 0.01);
});

/** What a load average of `load1` shows after `passedMs` of `tasks` tasks. */
function shown(load1: number, passedMs: number, tasks: number): number {
  const keep = Math.exp(-passedMs / 60_000);
  return load1 * keep + tasks * (1 - keep);
}

Deno.test("nothing is known of a backend before its first sample, nor after it was forgotten", () => {
  const estimator = new LoadEstimator();
  assertEquals(estimator.estimate(3, 0), undefined);
  estimator.track(3, 4, 0, 0);
  assertEquals(estimator.estimate(3, 0), undefined);
  estimator.observeSample(3, 1.5, 1000);
  assertEquals(estimator.estimate(3, 1000)?.load, 1.5);
  estimator.forget(3);
  assertEquals(estimator.estimate(3, 1000), undefined);
});

Deno.test("the cost of a session is learnt, however much work comes from elsewhere", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.1, max: 1.6, noNaN: true }),
      fc.double({ min: 0, max: 50, noNaN: true }),
      (cost, elsewhere) => {
        const learner = new SessionCost();
        let usual = 20;
        for (let minute = 0; minute < 600; minute++) {
          const held = 20 + 8 * Math.sin(minute / 7);
          usual += (held - usual) / 10;
          learner.observe({
            tasks: elsewhere + cost * held,
            held,
            usualTasks: elsewhere + cost * usual,
            usualHeld: usual,
          }, 60_000);
        }
        // The prior still pulls a little.
        assertAlmostEquals(learner.fresh, cost, 0.05 + 0.05 * cost);
        assert(learner.settled <= learner.fresh);
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("without sessions the cost stays the prior", () => {
  const learner = new SessionCost();
  for (let i = 0; i < 1000; i++) {
    learner.observe({ tasks: 5, held: 0, usualTasks: 5, usualHeld: 0 }, 10_000);
  }
  assertEquals(learner.fresh, 0.5);
});

Deno.test("the simulated load average is the kernel's: 63 % of a step after a minute", () => {
  const load = new LoadAverage(0);
  load.advance(60 - LOAD_STEP_SECONDS / 2, 100);
  assertAlmostEquals(load.shown, 63.2, 1.5);
  load.advance(3600, 100);
  assertEquals(load.shown, 100);
  load.advance(7200, 0);
  assertEquals(load.shown, 0);
});
