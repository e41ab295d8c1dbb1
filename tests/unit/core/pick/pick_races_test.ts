// Several threads pick from one table at the same time, by every kernel.

import { assert, assertEquals } from "@std/assert";
import { release } from "../../../../lib/core/pick/pick_kernels.ts";
import {
  ACTIVE,
  CLOCK,
  ELIGIBLE,
  FRESH,
  HASH_BALANCE,
  HEADER_WORDS,
  MAX_CONNECTIONS,
  NEW_LOGINS,
  PACE_LIMIT,
  PickTable,
  ROW_WORDS,
  STICKY_SECONDS,
  YOUNG_RING,
} from "../../../../lib/core/pick/pick_table.ts";
import { identityOf, Source } from "../../../../lib/core/pick/source.ts";
import { recall, renew } from "../../../../lib/core/pick/sticky.ts";
import { newLoginsOf, youngOf, YoungSteps } from "../../../../lib/core/pick/young.ts";
import { CHOOSING_KERNELS, makeTable } from "../../../support/tables.ts";
import { DEADLINE_MS, within } from "../../../support/wait_for.ts";

const WORKERS = 3;
const SESSION_CLIENTS = 20;

/** Picks in a thread: `rounds` of `hold` picks, of which all but the last round's are given back. */
const SOURCE = `
  import { Choice, pick, release } from ${JSON.stringify(lib("core/pick/pick_kernels.ts"))};
  import { PickTable } from ${JSON.stringify(lib("core/pick/pick_table.ts"))};
  import { Source } from ${JSON.stringify(lib("core/pick/source.ts"))};
  self.onmessage = ({ data }) => {
    const { buffer, gate, number, rounds, hold } = data;
    const table = new PickTable(buffer);
    const choice = new Choice();
    const source = new Source();
    const counts = new Array(table.rows).fill(0);
    let refused = 0;
    let state = number * 7919;
    Atomics.add(gate, 0, 1);
    while (Atomics.load(gate, 0) < ${WORKERS});
    for (let round = 1; round <= rounds; round++) {
      const held = [];
      for (let i = 0; i < hold; i++) {
        state = Math.imul(state, 1664525) + 1013904223 | 0;
        source.setIpv4(state);
        const row = pick(table, null, (state >>> 0) / 2 ** 32, choice, source);
        if (row < 0) { refused++; continue; }
        if (choice.row !== row) throw new Error("The choice tells another row");
        counts[row]++;
        held.push(row);
      }
      if (round < rounds) for (const row of held) release(table, row, choice.step);
    }
    self.postMessage({ counts, refused });
  };`;

/** Remembers and recalls few clients in few entries; each has one row alone where it ever was. */
const STICKY_SOURCE = `
  import { PickTable } from ${JSON.stringify(lib("core/pick/pick_table.ts"))};
  import { Source } from ${JSON.stringify(lib("core/pick/source.ts"))};
  import { recall, remember, renew } from ${JSON.stringify(lib("core/pick/sticky.ts"))};
  self.onmessage = ({ data }) => {
    const { buffer, gate, number, rounds } = data;
    const table = new PickTable(buffer);
    const source = new Source();
    let known = 0;
    let astray = 0;
    let state = number * 7919;
    Atomics.add(gate, 0, 1);
    while (Atomics.load(gate, 0) < ${WORKERS});
    for (let i = 0; i < rounds; i++) {
      state = Math.imul(state, 1664525) + 1013904223 | 0;
      const client = (state >>> 16) % 40;
      source.setIpv4(client);
      const row = recall(table, source);
      if (row >= 0) known++;
      if (row >= 0 && row !== client % 8) astray++;
      if (state & 64) remember(table, source, client % 8);
      else renew(table, source, client % 8);
    }
    self.postMessage({ counts: [known, astray], refused: 0 });
  };`;

/** Sessions of few clients that begin and end, each client on one row; as many end as began. */
const SESSIONS_SOURCE = `
  import { PickTable } from ${JSON.stringify(lib("core/pick/pick_table.ts"))};
  import { Source } from ${JSON.stringify(lib("core/pick/source.ts"))};
  import { remember, renew } from ${JSON.stringify(lib("core/pick/sticky.ts"))};
  self.onmessage = ({ data }) => {
    const { buffer, gate, number, rounds } = data;
    const table = new PickTable(buffer);
    const source = new Source();
    const held = new Array(${SESSION_CLIENTS}).fill(0);
    let state = number * 7919;
    Atomics.add(gate, 0, 1);
    while (Atomics.load(gate, 0) < ${WORKERS});
    for (let i = 0; i < rounds; i++) {
      state = Math.imul(state, 1664525) + 1013904223 | 0;
      const client = (state >>> 16) % held.length;
      source.setIpv4(client + 1);
      if (held[client] === 0 || (state & 64)) {
        held[client]++;
        remember(table, source, client % 8);
      } else {
        held[client]--;
        renew(table, source, client % 8);
      }
    }
    for (let client = 0; client < held.length; client++) {
      source.setIpv4(client + 1);
      while (held[client]-- > 0) renew(table, source, client % 8);
    }
    self.postMessage({ counts: [], refused: 0 });
  };`;

function lib(path: string): string {
  return new URL(`../../../../lib/${path}`, import.meta.url).href;
}

interface Told {
  readonly counts: readonly number[];
  readonly refused: number;
}

class Crew implements Disposable {
  readonly #url: string;
  readonly #workers: readonly Worker[];

  constructor(source: string) {
    this.#url = URL.createObjectURL(new Blob([source], { type: "application/javascript" }));
    this.#workers = Array.from(
      { length: WORKERS },
      () => new Worker(this.#url, { type: "module" }),
    );
  }

  /** All threads pick at once. */
  async pick(table: PickTable, rounds: number, hold: number): Promise<Told[]> {
    const gate = new Int32Array(new SharedArrayBuffer(4));
    return await within(
      "the picks",
      Promise.all(this.#workers.map((worker, number) => {
        const { promise, resolve, reject } = Promise.withResolvers<Told>();
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = (event) => reject(new Error(event.message));
        worker.postMessage({ buffer: table.buffer, gate, number, rounds, hold });
        return promise;
      })),
      30_000,
    );
  }

  [Symbol.dispose](): void {
    for (const worker of this.#workers) worker.terminate();
    URL.revokeObjectURL(this.#url);
  }
}

function sumOf(told: readonly Told[], row: number): number {
  return told.reduce((sum, { counts }) => sum + (counts[row] ?? 0), 0);
}

Deno.test("threads that pick at once keep count, keep to limits and to weights", async () => {
  using crew = new Crew(SOURCE);
  const weights = [4, 2, 1, 1];
  for (const kernel of CHOOSING_KERNELS) {
    const rows = weights.map((weight, row) => ({
      weight,
      id: `host${row}`,
      free: 8000,
      cost: 100,
    }));
    const table = makeTable(kernel, [...rows, { eligible: false }]);
    table.words[HASH_BALANCE] = 125;
    const told = await crew.pick(table, 1, 400);
    const counts = weights.map((_, row) => sumOf(told, row));
    const active = weights.map((_, row) => table.read(row, ACTIVE));
    assertEquals(active, counts, kernel);
    assertEquals(weights.map((_, row) => table.read(row, FRESH)), counts, kernel);
    assertEquals(table.words[NEW_LOGINS], WORKERS * 400, kernel);
    assertEquals(counts.reduce((sum, count) => sum + count, 0), WORKERS * 400, kernel);
    assertEquals(table.read(4, ACTIVE), 0, kernel);
    if (kernel === "rotation" || kernel === "least_connections") {
      weights.forEach((weight, row) => {
        const due = WORKERS * 400 * weight / 8;
        assert(Math.abs((counts[row] ?? 0) - due) <= 2 * WORKERS, `${kernel}: ${counts}`);
      });
    }
    if (kernel === "source_hash") {
      weights.forEach((weight, row) => {
        const limit = Math.ceil(1.25 * WORKERS * 400 * weight / 8) + WORKERS;
        assert((counts[row] ?? 0) <= limit, `${kernel}: ${counts}`);
      });
    }
  }
});

Deno.test("threads that pick while time passes leave no young connection behind", async () => {
  using crew = new Crew(SOURCE);
  const table = makeTable("most_free", [{ free: 5000 }, { free: 4000 }, { free: 3000 }], 3);
  table.words[PACE_LIMIT] = 20;
  const steps = new YoungSteps(table, 0);
  steps.setWithin(10_000);
  let nowMs = 0;
  let isPicking = true;
  const picking = crew.pick(table, 200, 20).finally(() => isPicking = false);
  while (isPicking) {
    steps.advance(nowMs += 1250);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await picking;
  const starts = [0, 1, 2].map((row) => HEADER_WORDS + row * ROW_WORDS);
  const newLogins = () => starts.reduce((sum, at) => sum + newLoginsOf(table.words, at), 0);
  assertEquals(newLogins(), table.words[NEW_LOGINS]);
  steps.advance(nowMs + 200_000);
  assertEquals([newLogins(), table.words[NEW_LOGINS]], [0, 0]);
  for (const at of starts) {
    assertEquals(table.words.slice(at + YOUNG_RING, at + ROW_WORDS), new Int32Array(14));
    assertEquals(youngOf(table.words, at), 0);
  }
});

Deno.test("threads that pick at once never pass max_connections, and find the last place", async () => {
  using crew = new Crew(SOURCE);
  for (const kernel of CHOOSING_KERNELS) {
    const table = makeTable(kernel, [{ free: 5000 }, { free: 5000, weight: 3 }, { free: 5000 }]);
    for (let row = 0; row < 3; row++) table.write(row, MAX_CONNECTIONS, 40 + row);
    table.words[PACE_LIMIT] = 20;
    const told = await crew.pick(table, 5, 60);
    // Each holds 60 at the end, or was refused: 180 wanted, 123 places.
    const active = [0, 1, 2].map((row) => table.read(row, ACTIVE));
    active.forEach((count, row) => assert(count >= 0 && count <= 40 + row, `${kernel}: ${active}`));
    assert(told.some(({ refused }) => refused > 0), kernel);
    for (let row = 0; row < 3; row++) {
      for (let i = 0; i < (active[row] ?? 0); i++) release(table, row, 0);
      table.write(row, ELIGIBLE, 0);
    }
  }
});

Deno.test("no pick falls on a row that was closed before, not even one that had looked", async () => {
  using crew = new Crew(SOURCE);
  for (let round = 0; round < 50; round++) {
    const table = makeTable("least_connections", [{ free: 5000 }]);
    const picking = crew.pick(table, 1, 2000);
    // Not by a timer: the picks take but some milliseconds.
    const end = performance.now() + DEADLINE_MS;
    while (table.read(0, ACTIVE) <= 100 && performance.now() < end);
    table.write(0, ELIGIBLE, 0);
    // Every pick that is to count has reserved its place by now.
    const most = table.read(0, ACTIVE);
    await picking;
    const active = table.read(0, ACTIVE);
    assert(active <= most, `${active - most} picks after the end, round ${round}`);
  }
});

Deno.test("threads that remember at once never send a client where it was not", async () => {
  using crew = new Crew(STICKY_SOURCE);
  const table = PickTable.allocate(8, 2);
  table.words[STICKY_SECONDS] = 60;
  const taken = new Set<number>();
  for (let row = 0; row < 8; row++) taken.add(table.claim(taken, identityOf(`b${row}`)));
  const told = await crew.pick(table, 400_000, 0);
  assert(sumOf(told, 0) > 1000, "hardly anybody was known again");
  assertEquals(sumOf(told, 1), 0);
});

Deno.test("threads that count a client's sessions at once lose hardly any, and send nobody astray", async () => {
  using crew = new Crew(SESSIONS_SOURCE);
  const table = PickTable.allocate(8, 1024);
  table.words[STICKY_SECONDS] = 60;
  const taken = new Set<number>();
  for (let row = 0; row < 8; row++) taken.add(table.claim(taken, identityOf(`b${row}`)));
  const rounds = 200_000;
  await crew.pick(table, rounds, 0);
  const source = new Source();
  let left = 0;
  for (let client = 0; client < SESSION_CLIENTS; client++) {
    source.setIpv4(client + 1);
    assertEquals(recall(table, source), client % 8);
    // Every end that is told takes one off, until time runs.
    for (;;) {
      table.words[CLOCK] = 60;
      if (recall(table, source) < 0) break;
      table.words[CLOCK] = 0;
      renew(table, source, client % 8);
      left++;
    }
    table.words[CLOCK] = 0;
  }
  // A thread that is preempted over an entry makes the others give up.
  assert(left < WORKERS * rounds / 1000, `${left} sessions more than there are`);
});
