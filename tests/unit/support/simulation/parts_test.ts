import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { boundedPareto, boundedParetoMean, Chance } from "../../../support/chance.ts";
import { EventQueue } from "../../../support/simulation/event_queue.ts";
import { ProcessorSharing } from "../../../support/simulation/processor_sharing.ts";
import {
  centralQueueTime,
  choicesTime,
  estimateMean,
  estimateRatio,
} from "../../../support/simulation/statistics.ts";

Deno.test("the event queue gives actors in the order of their times, whatever moved", () => {
  const action = fc.oneof(
    fc.record({ actor: fc.nat(20), time: fc.nat(1000) }),
    fc.record({ actor: fc.nat(20), time: fc.constant(Infinity) }),
    fc.constant("pop" as const),
  );
  fc.assert(fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
    const queue = new EventQueue(4);
    const model = new Map<number, number>();
    for (const step of actions) {
      if (step !== "pop") {
        queue.schedule(step.actor, step.time);
        if (step.time === Infinity) model.delete(step.actor);
        else model.set(step.actor, step.time);
      } else {
        const soonest = Math.min(...model.values());
        assertEquals(queue.nextTime, soonest);
        const actor = queue.pop();
        if (soonest === Infinity) assertEquals(actor, -1);
        else assertEquals(model.get(actor), soonest);
        model.delete(actor);
      }
      assertEquals(queue.size, model.size);
    }
  }));
});

Deno.test("a server's clock of virtual time agrees with sharing out every millisecond", () => {
  const job = fc.record({
    at: fc.integer({ min: 0, max: 200 }),
    threads: fc.integer({ min: 1, max: 3 }),
    seconds: fc.integer({ min: 1, max: 60 }),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.array(job, { minLength: 1, maxLength: 8 }),
      (cores, unsorted) => {
        const jobs = [...unsorted].sort((a, b) => a.at - b.at);
        const exact = endsByEvents(cores, jobs);
        const stepped = endsBySteps(cores, jobs);
        exact.forEach((end, index) => assertAlmostEquals(end, stepped[index] ?? NaN, 0.2));
      },
    ),
    { numRuns: 40 },
  );
});

interface Job {
  readonly at: number;
  readonly threads: number;
  readonly seconds: number;
}

function endsByEvents(cores: number, jobs: readonly Job[]): number[] {
  const server = new ProcessorSharing(cores);
  const ends = jobs.map(() => NaN);
  let now = 0;
  const runUntil = (time: number) => {
    while (server.tasks > 0 && server.nextEnd(now) <= time) {
      const end = server.nextEnd(now);
      now = end;
      ends[server.end(now)] = now;
    }
    now = Math.max(now, time === Infinity ? now : time);
  };
  jobs.forEach(({ at, threads, seconds }, index) => {
    runUntil(at);
    server.start(index, threads, seconds, now);
  });
  runUntil(Infinity);
  assertEquals([server.running, server.tasks], [0, 0]);
  return ends;
}

function endsBySteps(cores: number, jobs: readonly Job[]): number[] {
  const left = jobs.map(({ seconds }) => seconds);
  const ends = jobs.map(() => NaN);
  const step = 0.01;
  for (let now = 0; ends.some(Number.isNaN); now += step) {
    const running = jobs.map((job, i) => job.at <= now + 1e-9 && Number.isNaN(ends[i]));
    const threads = jobs.reduce((sum, job, i) => sum + (running[i] === true ? job.threads : 0), 0);
    const rate = Math.min(1, cores / threads);
    jobs.forEach((_, i) => {
      if (running[i] !== true) return;
      left[i] = (left[i] ?? 0) - step * rate;
      if ((left[i] ?? 0) <= 1e-9) ends[i] = now + step;
    });
  }
  return ends;
}

Deno.test("the same seed gives the same chance, another seed or stream another", () => {
  const draw = (seed: number, stream: number) => {
    const chance = new Chance(seed, stream);
    return Array.from({ length: 8 }, () => chance.next());
  };
  assertEquals(draw(1, 2), draw(1, 2));
  assert(draw(1, 2)[0] !== draw(2, 2)[0] && draw(1, 2)[0] !== draw(1, 3)[0]);
});

Deno.test("chance is even, and a bounded Pareto has the mean that its formula says", () => {
  const chance = new Chance(7);
  const bins = new Array<number>(16).fill(0);
  let sum = 0;
  const count = 400_000;
  for (let i = 0; i < count; i++) {
    const uniform = chance.next();
    const bin = Math.floor(uniform * 16);
    bins[bin] = (bins[bin] ?? 0) + 1;
    sum += boundedPareto(uniform, 1, 10, 1000);
  }
  for (const bin of bins) assert(Math.abs(bin - count / 16) < 5 * Math.sqrt(count / 16), `${bins}`);
  assertAlmostEquals(sum / count, boundedParetoMean(1, 10, 1000), 0.5);
});

Deno.test("closed forms have the values of the literature", () => {
  assertAlmostEquals(choicesTime(2, 0.9), 2.614, 0.001);
  assertAlmostEquals(choicesTime(3, 0.95), 2.535, 0.001);
  assertAlmostEquals(choicesTime(1, 0.8), 5, 1e-9);
  assertAlmostEquals(centralQueueTime(10, 0.9), 1.669, 0.001);
  assertAlmostEquals(centralQueueTime(8, 0.9), 1.877, 0.001);
  assertAlmostEquals(centralQueueTime(1, 0.5), 2, 1e-9);
});

Deno.test("intervals are Student's, and a ratio of pairs is as sure as the pairs agree", () => {
  const { mean, halfWidth } = estimateMean([1, 2, 3, 4, 5]);
  assertAlmostEquals(mean, 3);
  assertAlmostEquals(halfWidth, 2.776 * Math.sqrt(2.5 / 5), 1e-3);
  const twice = estimateRatio([2, 20, 6, 8], [1, 10, 3, 4]);
  assertAlmostEquals(twice.mean, 2);
  assertAlmostEquals(twice.halfWidth, 0);
});
