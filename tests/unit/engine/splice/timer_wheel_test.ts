import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { allocateWorkerMemory } from "../../../../lib/engine/splice/layout.ts";
import { TimerWheel } from "../../../../lib/engine/splice/timer_wheel.ts";

const SLOTS = 8;
/** What is met late by at most: one tick of the fine wheel. */
const GRAIN_MS = 16;

type Step =
  | { readonly kind: "set"; readonly slot: number; readonly inMs: number }
  | { readonly kind: "clear"; readonly slot: number }
  | { readonly kind: "wait"; readonly ms: number };

const slot = fc.integer({ min: 0, max: SLOTS - 1 });
// Without fast-check's liking for small numbers, which would seldom reach the coarse wheel.
const span = fc.oneof(
  fc.noBias(fc.integer({ min: 0, max: 100 })),
  fc.noBias(fc.integer({ min: 0, max: 25_000 })),
  fc.noBias(fc.integer({ min: 0, max: 5_000_000 })),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("set" as const), slot, inMs: span }),
  fc.record({ kind: fc.constant("clear" as const), slot }),
  fc.record({ kind: fc.constant("wait" as const), ms: span }),
);

Deno.test("a timer wheel reports every deadline once, never early, and in time when asked in time", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), fc.nat(100_000), (steps, start) => {
    let now = start;
    const wheel = new TimerWheel(allocateWorkerMemory(SLOTS), now);
    const deadlines = new Map<number, number>();
    // Sleeps as the loop does: as long as the wheel allows, at most a second.
    const wait = (ms: number) => {
      for (const end = now + ms; now < end;) {
        now += Math.max(1, wheel.sleepMs(now, 1000));
        const count = wheel.advance(now);
        for (let i = 0; i < count; i++) {
          const due = wheel.due[i] ?? -1;
          assert(wheel.isDue(due));
          const deadline = deadlines.get(due);
          assert(deadline !== undefined, `slot ${due} was not set`);
          assert(deadline <= now, `slot ${due} came ${deadline - now} ms early`);
          assert(now - deadline <= GRAIN_MS, `slot ${due} came ${now - deadline} ms late`);
          deadlines.delete(due);
        }
        for (const [slot, deadline] of deadlines) {
          assert(now - deadline <= GRAIN_MS, `slot ${slot} is ${now - deadline} ms late`);
        }
      }
    };
    for (const step of steps) {
      if (step.kind === "wait") wait(Math.min(step.ms, 30_000));
      else if (step.kind === "clear") {
        wheel.clear(step.slot);
        deadlines.delete(step.slot);
      } else {
        wheel.set(step.slot, now + step.inMs);
        deadlines.set(step.slot, now + step.inMs);
      }
    }
  }));
});

Deno.test("a timer wheel that slept through its deadlines reports them all", () => {
  fc.assert(fc.property(fc.array(span, { minLength: SLOTS, maxLength: SLOTS }), (spans) => {
    const wheel = new TimerWheel(allocateWorkerMemory(SLOTS), 1000);
    spans.forEach((span, slot) => wheel.set(slot, 1000 + span));
    // Two looks: what was beyond the reach of the fine wheel moves there in the first.
    let found = wheel.advance(6_000_000);
    for (let i = 1; i <= 64; i++) found += wheel.advance(6_000_000 + 20 * i);
    assertEquals(found, SLOTS);
  }));
});

Deno.test("a tunnel that ended between its deadline and its turn is not due", () => {
  const wheel = new TimerWheel(allocateWorkerMemory(SLOTS), 0);
  wheel.set(3, 10);
  assertEquals(wheel.advance(100), 1);
  wheel.clear(3);
  assert(!wheel.isDue(3));
});
