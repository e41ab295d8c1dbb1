import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { SNAPSHOT_WORDS, takeSnapshot } from "../../../../lib/core/pick/decision_snapshot.ts";
import { readSnapshot } from "../../../../lib/core/pick/snapshot_reader.ts";
import { FreeCores } from "../../../../lib/core/estimate/free_cores.ts";
import { burstCharge } from "../../../../lib/core/pick/burst_charge.ts";
import { Choice, pick, release } from "../../../../lib/core/pick/pick_kernels.ts";
import {
  BURST_FREE,
  BURST_LINE,
  FREE_MILLI_CORES,
  NEW_LOGINS,
  type PickTable,
} from "../../../../lib/core/pick/pick_table.ts";
import { YoungSteps } from "../../../../lib/core/pick/young.ts";
import { countRows, logIn, makeTable, numbersFrom, pickMany } from "../../../support/tables.ts";
import { viewOf } from "../../../support/views.ts";

/** Free 22, 11 and 3.7 cores, as the trial has them. */
const BACKENDS = [
  { row: 0, id: "a", cores: 24, load1: 2, takenAtMs: 1000, usable: true },
  { row: 1, id: "b", cores: 12, load1: 1, takenAtMs: 1000, usable: true },
  { row: 2, id: "c", cores: 4, load1: 0.3, takenAtMs: 1000, usable: true },
];

function weighed(kernel: "most_free" | "two_choices"): PickTable {
  const table = makeTable(kernel, BACKENDS.map(() => ({})));
  new FreeCores().write(viewOf(BACKENDS), table, 1000);
  return table;
}

Deno.test("a login counts for nothing up to the line, and for F/(Y + 1) from twice the line on", () => {
  const words = weighed("most_free").words;
  words[BURST_FREE] = 30_000;
  words[BURST_LINE] = 4000;
  const charge = (newLogins: number) => {
    words[NEW_LOGINS] = newLogins;
    return burstCharge(words);
  };
  const full = 30_000;
  assertEquals(
    [0, 4, 5, 8, 20].map(charge),
    [0, 0, full / 4 / 6, Math.round(full / 9), Math.round(full / 21)],
  );
  words[BURST_FREE] = 0;
  assertEquals(charge(20), 0);
});

Deno.test("30 logins at one instant are dealt out by what is free, without another weighing", () => {
  const counts = countRows(pickMany(weighed("most_free"), 30, { random: numbersFrom(3) }), 3);
  for (const [row, due] of [18, 9, 3].entries()) {
    assert(Math.abs((counts[row] ?? 0) - due) <= Math.max(1, 0.15 * due), `${counts}`);
  }
});

Deno.test("of two drawn, the one that is owed more gets the login", () => {
  const plain = weighed("two_choices");
  plain.words[BURST_FREE] = 0;
  const draws = () => ({ random: numbersFrom(4) });
  const [before = 0] = countRows(pickMany(plain, 60, draws()), 3);
  const [after = 0] = countRows(pickMany(weighed("two_choices"), 60, draws()), 3);
  assert(after < before, `${after} and ${before}`);
});

Deno.test("sessions that end at once are charged to nobody, one after the other or two at a time", () => {
  const table = weighed("most_free");
  const steps = new YoungSteps(table, 0);
  steps.setWithin(10_000);
  const choice = new Choice();
  let last: number | undefined;
  for (let i = 0; i < 80; i++) {
    steps.advance(300 * i);
    assertEquals(pick(table, null, 0.5, choice), 0, `session ${i}`);
    if (last !== undefined) release(table, 0, last);
    last = choice.step;
  }
});

Deno.test("a few that stand at once on the one backend with room do not send the next one away", () => {
  const table = makeTable("most_free", [{}, {}, {}]);
  const backends = [[16, 0.2], [8, 6.9], [4, 3.5]].map(([cores = 0, load1 = 0], row) => ({
    row,
    id: `backend ${row}`,
    cores,
    load1,
    takenAtMs: 0,
    sessionCost: 0,
    usable: true,
  }));
  new FreeCores().write(viewOf(backends), table, 1000);
  assertEquals(countRows(pickMany(table, 6, { random: numbersFrom(5) }), 3), [6, 0, 0]);
});

Deno.test("free cores as people see them have no burst in them, and what decided is told", () => {
  const table = weighed("most_free");
  logIn(table, 0, 20);
  const freeCores = new FreeCores();
  freeCores.write(viewOf(BACKENDS), table, 1000);
  assertEquals(table.read(0, FREE_MILLI_CORES), 22_000);
  assert(freeCores.burstCost > 1, `${freeCores.burstCost}`);
  const choice = new Choice();
  assertEquals(pick(table, null, 0.5, choice), 1);
  const words = new Int32Array(SNAPSHOT_WORDS);
  takeSnapshot(table, null, choice, 0, words);
  const { backends } = readSnapshot(words, 0, BACKENDS.map(({ id }) => ({ backend: id })));
  assertEquals(
    backends.map(({ backend, outcome, freeMilliCores }) => [
      backend,
      outcome,
      freeMilliCores,
    ]),
    [["b", "chosen", 11_000], ["c", "less_free", 3700], ["a", "new_logins", 22_000]],
  );
});

Deno.test("backends without a free core are charged no burst, nor are those without a load", () => {
  fc.assert(fc.property(fc.array(fc.nat(9), { minLength: 2, maxLength: 2 }), (fresh) => {
    for (const load1 of [99, undefined]) {
      const table = makeTable("most_free", [{}, {}]);
      fresh.forEach((count, row) => logIn(table, row, count));
      const freeCores = new FreeCores();
      freeCores.write(
        viewOf([0, 1].map((row) => ({
          ...{ row, id: `${row}`, cores: 8, usable: true },
          ...(load1 === undefined ? {} : { load1, takenAtMs: 1000 }),
        }))),
        table,
        1000,
      );
      assertEquals(freeCores.burstCost, 0);
    }
  }));
});
