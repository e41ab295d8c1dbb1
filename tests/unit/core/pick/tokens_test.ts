// The ring of tokens: one thread puts, several pick by it.

import { assert, assertEquals } from "@std/assert";
import { Choice, pick, Tried } from "../../../../lib/core/pick/pick_kernels.ts";
import {
  ACTIVE,
  BACKUP_LAST,
  ELIGIBLE,
  IDENTITY,
  MAX_CONNECTIONS,
  MOST_TOKENS,
  STICKY_SECONDS,
  TOKEN_HEAD,
  TOKEN_TAIL,
  TOKENS_DISCARDED,
} from "../../../../lib/core/pick/pick_table.ts";
import { putToken, tokensIn } from "../../../../lib/core/pick/tokens.ts";
import { makeTable, pickMany } from "../../../support/tables.ts";
import { within } from "../../../support/wait_for.ts";

const WORKERS = 3;
const PER_WORKER = 20_000;

Deno.test("tokens are taken in their order, each once, and no more than fit wait", () => {
  const table = makeTable("token", [{}, {}, {}]);
  assertEquals(pickMany(table, 1), [-1]);
  const rows = Array.from({ length: MOST_TOKENS }, (_, at) => (at * 2) % 3);
  for (const row of rows) assert(putToken(table, row));
  assertEquals([putToken(table, 0), tokensIn(table)], [false, MOST_TOKENS]);
  assertEquals(pickMany(table, MOST_TOKENS + 1), [...rows, -1]);
  assertEquals([0, 1, 2].map((row) => table.read(row, ACTIVE)), [6, 5, 5]);
  assertEquals([tokensIn(table), table.words[TOKENS_DISCARDED]], [0, 0]);
});

Deno.test("a token whose backend cannot take the client is thrown away for the next", () => {
  const rows = [{ eligible: false }, { max: 1, active: 1 }, {}, {}, {}, {}];
  const table = makeTable("token", rows);
  const tried = new Tried();
  tried.add(2);
  for (let row = 0; row < 6; row++) putToken(table, row);
  // Another backend has the row now.
  table.write(3, IDENTITY, 99);
  table.write(4, ELIGIBLE, BACKUP_LAST);
  table.write(5, MAX_CONNECTIONS, 1);
  assertEquals(pickMany(table, 3, { tried }), [4, 5, -1]);
  assertEquals(table.words[TOKENS_DISCARDED], 4);
});

Deno.test("who finds no token waits, whoever has a place; without patience it does not", () => {
  const table = makeTable("token", []);
  const choice = new Choice();
  for (const patienceMs of [0, 100]) {
    assertEquals(pick(table, null, 0, choice, undefined, patienceMs), -1);
    assertEquals(choice.waits, patienceMs > 0);
  }
});

Deno.test("counts of tokens go on where their words wrap around", () => {
  const table = makeTable("token", [{}, {}]);
  table.words.fill(0x7fff_fffe, TOKEN_HEAD, TOKEN_TAIL + 1);
  for (let i = 0; i < MOST_TOKENS; i++) assert(putToken(table, i % 2));
  assertEquals([tokensIn(table), putToken(table, 0)], [MOST_TOKENS, false]);
  assertEquals(pickMany(table, 5), [0, 1, 0, 1, 0]);
  assertEquals(tokensIn(table), MOST_TOKENS - 5);
});

const SOURCE = `
  import { Choice, pick } from ${JSON.stringify(lib("core/pick/pick_kernels.ts"))};
  import { PickTable } from ${JSON.stringify(lib("core/pick/pick_table.ts"))};
  self.onmessage = ({ data: buffer }) => {
    const table = new PickTable(buffer);
    const choice = new Choice();
    const counts = new Array(table.rows).fill(0);
    for (let left = ${PER_WORKER}; left > 0;) {
      const row = pick(table, null, 0, choice);
      if (row < 0) continue;
      counts[row]++;
      left--;
    }
    self.postMessage(counts);
  };`;

function lib(path: string): string {
  return new URL(`../../../../lib/${path}`, import.meta.url).href;
}

Deno.test("threads that pick at once take each token once, and wake who feeds them", async () => {
  const rows = 5;
  const table = makeTable("token", Array.from({ length: rows }, () => ({})));
  assertEquals(table.words[STICKY_SECONDS], 0);
  const url = URL.createObjectURL(new Blob([SOURCE], { type: "application/javascript" }));
  const workers = Array.from({ length: WORKERS }, () => new Worker(url, { type: "module" }));
  const put = new Array<number>(rows).fill(0);
  try {
    const counts = workers.map((worker) => {
      const { promise, resolve } = Promise.withResolvers<number[]>();
      worker.onmessage = ({ data }) => resolve(data);
      worker.postMessage(table.buffer);
      return promise;
    });
    const feeding = async () => {
      for (let sent = 0; sent < WORKERS * PER_WORKER;) {
        const row = (sent * 7) % rows;
        if (sent === WORKERS * PER_WORKER || !putToken(table, row)) {
          const head = Atomics.load(table.words, TOKEN_HEAD);
          if (tokensIn(table) < MOST_TOKENS) continue;
          const waiting = Atomics.waitAsync(table.words, TOKEN_HEAD, head);
          if (waiting.async) await waiting.value;
          continue;
        }
        put[row]!++;
        sent++;
      }
    };
    await within("all tokens to be put", feeding(), 30_000);
    const told = await within("all tokens to be taken", Promise.all(counts), 30_000);
    const taken = put.map((_, row) => told.reduce((sum, one) => sum + (one[row] ?? 0), 0));
    assertEquals(taken, put);
    assertEquals(put.map((_, row) => table.read(row, ACTIVE)), put);
    assertEquals([tokensIn(table), table.words[TOKENS_DISCARDED]], [0, 0]);
  } finally {
    for (const worker of workers) worker.terminate();
    URL.revokeObjectURL(url);
  }
});
