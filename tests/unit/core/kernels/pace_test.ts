import { assert, assertEquals } from "@std/assert";
import { PACE_STEPS, Pacer } from "../../../../lib/core/pace.ts";
import { Choice, countTunnel, pick } from "../../../../lib/core/pick_kernels.ts";
import {
  KERNELS,
  MAX_CONNECTIONS,
  PACE_BASE,
  PACE_LIMIT,
  PickTable,
  STARTED,
  STICKY_SECONDS,
  VIRTUAL_TIME,
} from "../../../../lib/core/pick_table.ts";
import { Source } from "../../../../lib/core/source_hash.ts";
import { addRow, countRows, makeTable, numbersFrom, pickMany } from "../../../support/tables.ts";

/** One of three has far more free than the others. */
function pacedTable(kernel: typeof KERNELS[number], limit: number): PickTable {
  const table = makeTable(kernel, [{ free: 90_000 }, { free: 5000 }, { free: 1000 }]);
  table.words[PACE_LIMIT] = limit;
  return table;
}

function passTime(pacer: Pacer, steps: number): void {
  for (let i = 0; i < steps; i++) pacer.step();
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
  for (const kernel of KERNELS) {
    if (kernel === "source_hash") continue;
    const table = pacedTable(kernel, 8);
    const pacer = new Pacer(table);
    const random = numbersFrom(11);
    const choice = new Choice();
    /** Seconds at which they came, by server; each takes 9 s to type a password. */
    const logins: number[][] = [[], [], []];
    // 30 within 10 s, and from 12 s on one every 2 s. Time goes on by halves of a second.
    const comers = Array.from({ length: 55 }, (_, i) => i < 30 ? i / 3 : 12 + 2 * (i - 30));
    let steps = 0;
    for (const second of comers) {
      for (; steps < 2 * second; steps++) pacer.step();
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

Deno.test("lately is over after so many steps, not before", () => {
  const table = pacedTable("most_free", 2);
  const pacer = new Pacer(table);
  assertEquals(pickMany(table, 3), [0, 0, 1]);
  passTime(pacer, PACE_STEPS);
  assertEquals(pickMany(table, 1), [1]);
  passTime(pacer, 1);
  assertEquals(pickMany(table, 2), [0, 0]);
});

Deno.test("a row that changes hands counts on, and begins with nothing lately", () => {
  const table = pacedTable("most_free", 2);
  const pacer = new Pacer(table);
  pickMany(table, 4);
  passTime(pacer, 3);
  assertEquals(table.claim(new Set([1, 2])), 0);
  assertEquals([table.read(0, STARTED), table.read(0, PACE_BASE)], [2, 2]);
  passTime(pacer, 3 * PACE_STEPS);
  assertEquals(table.read(0, PACE_BASE), 2);
});

Deno.test("STARTED may wrap around", () => {
  const table = pacedTable("most_free", 2);
  for (const word of [STARTED, PACE_BASE]) table.write(0, word, 0x7fff_ffff);
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
