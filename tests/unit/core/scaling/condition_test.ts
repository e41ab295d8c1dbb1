import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  formatCondition,
  holds,
  parseCondition,
  type ScaleFigures,
} from "../../../../lib/core/scaling/condition.ts";

const FIGURES: ScaleFigures = {
  backends: 3,
  usable: 2,
  cores: 40,
  free: [4, 4],
  sessions: 30,
  usableSessions: 20,
  queued: 0,
};

function test(text: string, figures: Partial<ScaleFigures> = {}): boolean | undefined | string {
  const read = parseCondition(text);
  return read.ok ? holds(read.value, { ...FIGURES, ...figures }) : read.message;
}

Deno.test("a condition compares the pool's figures", () => {
  const TRUE = [
    ...["free < 5", "free<=4", "free >= 4", "free > 3.999", "free <= 10%", "free < 11 %"],
    ...["sessions > 29", "sessions_per_backend >= 10", "queued <= 0"],
    ...["queued > 0 or free < 5", "free < 5 and sessions > 1", " free < 5 "],
    // "and" binds closer.
    "free < 5 or free < 5 and queued > 0",
  ];
  for (const text of TRUE) assertEquals([text, test(text)], [text, true]);
  const FALSE = ["free < 4", "free > 4", "free < 10%", "queued > 0", "queued > 0 and free < 5"];
  for (const text of FALSE) assertEquals([text, test(text)], [text, false]);
});

Deno.test("what depends on something unknown is unknown", () => {
  const { free: _, ...unknown } = FIGURES;
  const on = (text: string) => {
    const read = parseCondition(text);
    return read.ok ? holds(read.value, unknown) : read.message;
  };
  assertEquals([on("free < 4"), on("free >= 0"), on("free < 50%")], [
    undefined,
    undefined,
    undefined,
  ]);
  assertEquals([on("free < 4 or sessions > 1"), on("free < 4 and sessions > 1")], [
    true,
    undefined,
  ]);
  assertEquals([on("free < 4 or sessions < 1"), on("free < 4 and sessions < 1")], [
    undefined,
    false,
  ]);
  assertEquals(test("sessions_per_backend < 5", { usable: 0, usableSessions: 0 }), undefined);
  // Some loads are unknown: between 4 and 20 cores are free.
  const some = { free: [4, 20] } as const;
  assertEquals([test("free < 4", some), test("free < 5", some), test("free < 21", some)], [
    false,
    undefined,
    true,
  ]);
});

Deno.test("a condition is refused with what was found and what was expected", () => {
  assertEquals(
    test("fre < 4"),
    'Cannot compare "fre": expected one of free, sessions, sessions_per_backend, queued',
  );
  assertEquals(
    test("queued > 5%"),
    'Cannot compare queued with "5%": expected a number; only free has a share',
  );
  assertEquals(
    test("free < 101%"),
    'Cannot compare free with "101%": expected up to 100 % of the cores',
  );
  const expected = 'as a condition: expected comparisons with and / or, such as "free < 4 or ' +
    'queued > 0", of free, sessions, sessions_per_backend, queued';
  for (const part of ["", "free", "free <", "free = 4", "free < -1", "4 < free", "free < 4 or"]) {
    assertEquals(test(part), `Cannot read "${part}" ${expected}`);
  }
});

Deno.test("a condition is written so that it reads back the same", () => {
  const comparison = fc.oneof(
    fc.tuple(
      fc.constantFrom("free", "sessions", "sessions_per_backend", "queued"),
      fc.constantFrom("<", "<=", ">", ">="),
      fc.integer({ min: 0, max: 999_999_999 }).map(String),
    ),
    fc.tuple(
      fc.constant("free"),
      fc.constantFrom("<", ">="),
      fc.integer({ min: 0, max: 100_000 }).map((number) => `${number / 1000}%`),
    ),
  ).map((parts) => parts.join(" "));
  const condition = fc.array(
    fc.array(comparison, { minLength: 1, maxLength: 3 }).map((all) => all.join(" and ")),
    { minLength: 1, maxLength: 3 },
  ).map((any) => any.join(" or "));
  fc.assert(fc.property(condition, (text) => {
    const read = parseCondition(text);
    assertEquals(read.ok && formatCondition(read.value), text);
  }));
  fc.assert(fc.property(fc.string(), (text) => void parseCondition(text)));
});
