import { assert, assertEquals } from "@std/assert";
import { Choice, countTunnel, pick, release } from "../../../../lib/core/pick/pick_kernels.ts";
import {
  MAX_CONNECTIONS,
  PACE_LIMIT,
  PickTable,
  STICKY_SECONDS,
  VIRTUAL_TIME,
} from "../../../../lib/core/pick/pick_table.ts";
import { KERNEL_NAMES } from "../../../../lib/core/pick/kernels/registry.ts";
import { YoungSteps } from "../../../../lib/core/pick/young.ts";
import { Source } from "../../../../lib/core/pick/source.ts";
import { addRow, countRows, makeTable, numbersFrom, pickMany } from "../../../support/tables.ts";

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
  for (const kernel of KERNEL_NAMES) {
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
