import { assert, assertEquals } from "@std/assert";
import { Choice, countTunnel, pick, release } from "../../../../lib/core/pick/pick_kernels.ts";
import { giveUpWaiting } from "../../../../lib/core/pick/pacing.ts";
import {
  BACKUP,
  BURST_FREE,
  BURST_LINE,
  ELIGIBLE,
  FREE_MILLI_CORES,
  HEADER_WORDS,
  MAX_CONNECTIONS,
  NEARLY_EQUAL,
  PACE_LIMIT,
  PickTable,
  ROW_WORDS,
  STEP_MS,
  STICKY_SECONDS,
  VIRTUAL_TIME,
} from "../../../../lib/core/pick/pick_table.ts";
import { KERNEL_NAMES } from "../../../../lib/core/pick/kernels/registry.ts";
import { youngOf, YoungSteps } from "../../../../lib/core/pick/young.ts";
import { Source } from "../../../../lib/core/pick/source.ts";
import {
  addRow,
  CHOOSING_KERNELS,
  countRows,
  logIn,
  makeTable,
  numbersFrom,
  pickMany,
  setKernel,
} from "../../../support/tables.ts";

/** One of three has far more free than the others. */
function pacedTable(kernel: typeof KERNEL_NAMES[number], limit: number): PickTable {
  const table = makeTable(kernel, [{ free: 90_000 }, { free: 5000 }, { free: 1000 }]);
  table.words[PACE_LIMIT] = limit;
  return table;
}

/** Connections are young for 10 s; time begins at 0. */
function stepsOf(table: PickTable): YoungSteps {
  const steps = new YoungSteps(table, 0);
  steps.setWithin(10_000);
  return steps;
}

Deno.test("a burst goes to the best until its limit, then to the next, then evenly", () => {
  const table = pacedTable("most_free", 8);
  assertEquals(pickMany(table, 24), [
    ...new Array<number>(8).fill(0),
    ...new Array<number>(8).fill(1),
    ...new Array<number>(8).fill(2),
  ]);
  assertEquals(pickMany(table, 6), [0, 1, 2, 0, 1, 2]);
});

Deno.test("far beyond any sshd the strategy alone decides again", () => {
  const table = pacedTable("most_free", 2);
  assertEquals(countRows(pickMany(table, 24), 3), [8, 8, 8]);
  assertEquals(pickMany(table, 5), [0, 0, 0, 0, 0]);
});

Deno.test("a class that logs in never has more than 10 waiting on one sshd", () => {
  for (const kernel of CHOOSING_KERNELS) {
    if (kernel === "source_hash") continue;
    const table = pacedTable(kernel, 8);
    const steps = stepsOf(table);
    const random = numbersFrom(11);
    const choice = new Choice();
    /** Seconds at which they came, by server; each takes 9 s to type a password. */
    const logins: number[][] = [[], [], []];
    // 30 within 10 s, and from 12 s on one every 2 s.
    const comers = Array.from({ length: 55 }, (_, i) => i < 30 ? i / 3 : 12 + 2 * (i - 30));
    for (const second of comers) {
      steps.advance(second * 1000);
      const row = pick(table, null, random(), choice);
      logins[row]?.push(second);
      for (const times of logins) {
        const waiting = times.filter((time) => second - time < 9).length;
        assert(waiting <= 10, `${kernel}: ${waiting} at second ${second}`);
      }
    }
    assertEquals(logins.flat().length, comers.length, kernel);
  }
});

Deno.test("a connection paces for its first ten seconds, not less and hardly more", () => {
  const table = pacedTable("most_free", 2);
  const steps = stepsOf(table);
  assertEquals(pickMany(table, 3), [0, 0, 1]);
  steps.advance(10_000);
  assertEquals(pickMany(table, 1), [1]);
  steps.advance(11_250);
  assertEquals(pickMany(table, 2), [0, 0]);
});

Deno.test("a connection that has ended paces nobody, those that stand do", () => {
  const table = pacedTable("most_free", 2);
  const steps = stepsOf(table);
  const choice = new Choice();
  for (let i = 0; i < 40; i++) {
    steps.advance(300 * i);
    assertEquals(pick(table, null, 0.5, choice), 0, `session ${i}`);
    release(table, 0, choice.step);
  }
  assertEquals(pickMany(table, 3), [0, 0, 1]);
});

Deno.test("nobody is sent away from where the client's address belongs", () => {
  const client = new Source();
  client.setIpv4(42);
  const hashed = pacedTable("source_hash", 1);
  assertEquals(new Set(pickMany(hashed, 10, { source: client })).size, 1);
  const sticky = PickTable.allocate(4, 16);
  sticky.words[STICKY_SECONDS] = 60;
  sticky.words[PACE_LIMIT] = 1;
  addRow(sticky, new Set());
  addRow(sticky, new Set([0]));
  const choice = new Choice();
  for (let i = 0; i < 5; i++) {
    assertEquals(pick(sticky, null, 0, choice, client), 0);
    countTunnel(sticky, 0, client);
  }
  assertEquals([choice.sticky, choice.paced], [true, false]);
});

Deno.test("a full backend does not keep others from being paced, nor a paced one from the last place", () => {
  const table = pacedTable("most_free", 2);
  table.write(2, MAX_CONNECTIONS, 1);
  assertEquals(pickMany(table, 8), [0, 0, 1, 1, 2, 0, 1, 0]);
  const alone = makeTable("rotation", [{ max: 5 }, { eligible: false }]);
  alone.words[PACE_LIMIT] = 1;
  assertEquals(pickMany(alone, 6), [0, 0, 0, 0, 0, -1]);
  assertEquals(alone.words[VIRTUAL_TIME], 0);
});

/** Free 22, 11 and 3.7 cores, and a burst of logins among which they are dealt out. */
function classroom(limit = 8, withinMs = 1250): { table: PickTable; steps: YoungSteps } {
  const table = makeTable("most_free", [{ free: 22_000 }, { free: 11_000 }, { free: 3700 }]);
  table.words[PACE_LIMIT] = limit;
  table.words[BURST_FREE] = 36_700;
  table.words[BURST_LINE] = 2000;
  const steps = new YoungSteps(table, 0);
  steps.setWithin(withinMs);
  return { table, steps };
}

/** Picks for one client that may wait so long. */
function wait(table: PickTable, patienceMs: number): { row: number; waits: boolean } {
  const choice = new Choice();
  const row = pick(table, null, 0.5, choice, new Source(), patienceMs);
  return { row, waits: choice.waits };
}

/** As many have come as leave the first free enough for the next one, and at a limit of 4. */
function logInAll(table: PickTable): void {
  [4, 2, 1].forEach((count, row) => logIn(table, row, count));
}

Deno.test("a class that may wait is dealt out by what is free, however few at a time sshd takes", () => {
  const { table, steps } = classroom();
  const rows: number[] = [];
  const waits: number[] = [];
  for (let nowMs = 0; rows.length < 30; nowMs += 10) {
    assert(nowMs < 3000, `${rows.length} of 30 in 3 s`);
    steps.advance(nowMs);
    for (let row = 0; rows.length < 30;) {
      ({ row } = wait(table, 3000 - nowMs));
      if (row < 0) break;
      rows.push(row);
      waits.push(nowMs);
    }
    for (let row = 0; row < 3; row++) {
      assert(youngOf(table.words, HEADER_WORDS + row * ROW_WORDS) <= 8);
    }
  }
  assertEquals(countRows(rows, 3), [18, 9, 3]);
  // As many at once as pacing lets go where they belong.
  assertEquals(waits.filter((ms) => ms === 0).length, 14);
});

Deno.test("nobody waits for a backend that stands back without need", () => {
  const paced = (limit: number, withinMs?: number) => {
    const { table } = classroom(limit, withinMs);
    const rows: number[] = [];
    for (let row = 0; row >= 0 && rows.length < 40;) {
      ({ row } = wait(table, 3000));
      if (row >= 0) rows.push(row);
    }
    return { table, rows };
  };
  assertEquals(paced(8).rows.length, 14);
  // Another is as good.
  const { table } = classroom(2);
  table.write(1, FREE_MILLI_CORES, 22_000);
  table.words[NEARLY_EQUAL] = 50;
  logIn(table, 0, 2);
  table.words[BURST_LINE] = 1000;
  assertEquals(wait(table, 3000).row, 1);
  // It would take nobody in time.
  assertEquals(paced(8, 10_000).rows.length, 40);
  // There is no burst: nobody knows where each should go.
  const quiet = classroom(2).table;
  quiet.words[BURST_FREE] = 0;
  assertEquals(wait(quiet, 3000).row, 0);
  logIn(quiet, 0, 4);
  assertEquals(wait(quiet, 3000), { row: 1, waits: false });
  // Kernels that do not score know of none that is better.
  for (const kernel of CHOOSING_KERNELS) {
    if (kernel === "most_free") continue;
    const { table } = classroom(2);
    setKernel(table, kernel);
    for (let i = 0; i < 12; i++) assertEquals(wait(table, 3000).waits, false, kernel);
  }
});

Deno.test("after a wait in vain nobody waits again, until the burst is over", () => {
  const { table, steps } = classroom(4);
  logInAll(table);
  assertEquals(wait(table, 3000), { row: -1, waits: true });
  giveUpWaiting(table.words);
  for (let i = 0; i < 3; i++) assertEquals(wait(table, 3000).waits, false);
  steps.advance(1500);
  logInAll(table);
  for (let i = 0; i < 3; i++) assertEquals(wait(table, 3000).waits, false);
  steps.advance(120_000);
  assertEquals(wait(table, 3000), { row: 0, waits: false });
  steps.advance(240_000);
  logInAll(table);
  assertEquals(wait(table, 3000), { row: -1, waits: true });
});

Deno.test("a connection that ends lets one in that waits", () => {
  const { table } = classroom(4, 10_000);
  const choice = new Choice();
  pick(table, null, 0.5, choice);
  [3, 2, 1].forEach((count, row) => logIn(table, row, count));
  table.words[STEP_MS] = 100;
  assertEquals(wait(table, 1000), { row: -1, waits: true });
  release(table, 0, choice.step);
  assertEquals(wait(table, 1000), { row: 0, waits: false });
});

Deno.test("a client that may wait does so where all are full, backups too, and nowhere else", () => {
  const table = makeTable("rotation", [{ max: 1 }, { max: 1 }, { eligible: false }]);
  table.write(1, ELIGIBLE, BACKUP);
  assertEquals([0, 1, 2].map(() => wait(table, 10)), [
    { row: 0, waits: false },
    { row: 1, waits: false },
    { row: -1, waits: true },
  ]);
  assertEquals(wait(table, 0), { row: -1, waits: false });
  table.write(0, ELIGIBLE, 0);
  table.write(1, ELIGIBLE, 0);
  assertEquals(wait(table, 10), { row: -1, waits: false });
});
