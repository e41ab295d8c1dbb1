import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Choice, pick, release } from "../../../../lib/core/pick/pick_kernels.ts";
import {
  FRESH,
  HEADER_WORDS,
  LONG_STEP,
  NEW_LOGINS,
  type PickTable,
  ROW_WORDS,
  STEP,
} from "../../../../lib/core/pick/pick_table.ts";
import {
  leaveYoung,
  LONG_AGO,
  newLoginsOf,
  youngOf,
  YoungSteps,
} from "../../../../lib/core/pick/young.ts";
import { logIn, makeTable, pickMany } from "../../../support/tables.ts";

const ROWS = 3;

function setup(withinMs: number): { table: PickTable; steps: YoungSteps } {
  const table = makeTable("rotation", Array.from({ length: ROWS }, () => ({})));
  const steps = new YoungSteps(table, 0);
  steps.setWithin(withinMs);
  return { table, steps };
}

function startOf(row: number): number {
  return HEADER_WORDS + row * ROW_WORDS;
}

/** New logins by rows. */
function sumOf(words: Int32Array): number {
  return [0, 1, 2].reduce((sum, row) => sum + newLoginsOf(words, startOf(row)), 0);
}

const event = fc.oneof(
  { weight: 4, arbitrary: fc.constant("pick" as const) },
  { weight: 4, arbitrary: fc.record({ end: fc.nat(1000) }) },
  { weight: 3, arbitrary: fc.record({ passMs: fc.integer({ min: 1, max: 30_000 }) }) },
  { weight: 1, arbitrary: fc.constant("old_end" as const) },
);

Deno.test("whatever comes and goes, young connections are those that stand and came lately", () => {
  fc.assert(fc.property(
    fc.constantFrom(1000, 3000, 10_000, 120_000, 3_600_000),
    fc.array(event, { maxLength: 200 }),
    (withinMs, events) => {
      const { table, steps } = setup(withinMs);
      const { words } = table;
      const stepMs = withinMs / 8;
      const longMs = stepMs * (words[LONG_STEP] ?? NaN);
      const choice = new Choice();
      const standing: { row: number; step: number; ms: number }[] = [];
      let nowMs = 0;
      for (const one of events) {
        if (one === "pick") {
          const row = pick(table, null, 0.5, choice);
          standing.push({ row, step: choice.step, ms: nowMs });
          assertEquals(steps.stepAt(nowMs), choice.step);
        } else if (one === "old_end") {
          // A session that stood before anybody counted.
          leaveYoung(words, startOf(0), LONG_AGO);
        } else if ("end" in one) {
          const [ended] = standing.splice(one.end % Math.max(1, standing.length), 1);
          if (ended !== undefined) release(table, ended.row, ended.step);
        } else {
          nowMs += one.passMs;
          steps.advance(nowMs);
        }
        assertEquals(words[NEW_LOGINS], sumOf(words));
        for (let row = 0; row < ROWS; row++) {
          const ages = standing.filter((one) => one.row === row).map(({ ms }) => nowMs - ms);
          const between = (count: number, least: number, most: number) => {
            // Within so long all count, beyond that and a step none does.
            const sure = ages.filter((age) => age < least).length;
            const perhaps = ages.filter((age) => age <= most).length;
            assert(sure <= count && count <= perhaps, `${count} of ${ages} at ${nowMs}`);
          };
          between(youngOf(words, startOf(row)), withinMs, withinMs + stepMs);
          between(newLoginsOf(words, startOf(row)), 5 * longMs, 6 * longMs + stepMs);
        }
      }
      // All that stand end, or grow old: nothing is left.
      for (const { row, step } of standing.splice(1)) release(table, row, step);
      steps.advance(nowMs + 8 * (withinMs + longMs));
      assertEquals(table.words[NEW_LOGINS], 0);
    },
  ));
});

Deno.test("a login is new for a minute, whatever pace.within is up to that", () => {
  for (const withinMs of [1000, 5000, 10_000, 30_000]) {
    const { table, steps } = setup(withinMs);
    pickMany(table, 3);
    steps.advance(55_000);
    assertEquals(table.words[NEW_LOGINS], 3, `within ${withinMs}`);
    steps.advance(80_000);
    assertEquals(table.words[NEW_LOGINS], 0, `within ${withinMs}`);
  }
});

Deno.test("whoever counts at the instant at which a step ends counts right, and leaves nothing", () => {
  const { table, steps } = setup(10_000);
  const at = startOf(0);
  const { words } = table;
  const step = words[STEP] ?? NaN;
  // The step ends between reading its number and counting in.
  steps.advance(1250);
  logIn(table, 0);
  assertEquals([youngOf(words, at), newLoginsOf(words, at)], [1, 1]);
  leaveYoung(words, at, step);
  assertEquals([youngOf(words, at), newLoginsOf(words, at)], [0, 0]);
  // Between reading it and counting out.
  logIn(table, 0);
  steps.advance(2500);
  table.add(0, FRESH, -1);
  Atomics.sub(words, NEW_LOGINS, 1);
  assertEquals([youngOf(words, at), newLoginsOf(words, at)], [0, 0]);
  steps.advance(200_000);
  assertEquals([youngOf(words, at), newLoginsOf(words, at), words[NEW_LOGINS]], [0, 0, 0]);
});

Deno.test("after a change of pace.within the ends of those that came before count nowhere", () => {
  for (const [before, after] of [[10_000, 1000], [1000, 3_600_000], [3_600_000, 10_000]] as const) {
    const { table, steps } = setup(before);
    const choice = new Choice();
    const old = Array.from({ length: 9 }, () => ({
      row: pick(table, null, 0.5, choice),
      step: choice.step,
    }));
    steps.setWithin(after);
    assertEquals(table.words[NEW_LOGINS], 0);
    pickMany(table, 3);
    for (const { row, step } of old) release(table, row, step);
    assertEquals(table.words[NEW_LOGINS], 3, `${before} to ${after}`);
    // The same time again changes nothing.
    steps.setWithin(after);
    assertEquals(table.words[NEW_LOGINS], 3);
  }
});
