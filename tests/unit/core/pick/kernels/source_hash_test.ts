import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Choice, pick, release } from "../../../../../lib/core/pick/pick_kernels.ts";
import {
  ACTIVE,
  ELIGIBLE,
  HASH_BALANCE,
  type PickTable,
} from "../../../../../lib/core/pick/pick_table.ts";
import { Source } from "../../../../../lib/core/pick/source.ts";
import { countRows, makeTable, numbersFrom, setWeights } from "../../../../support/tables.ts";

function clientsOf(count: number, seed = 1): Source[] {
  const random = numbersFrom(seed);
  return Array.from({ length: count }, () => {
    const source = new Source();
    source.setIpv4(Math.floor(random() * 2 ** 32));
    return source;
  });
}

/** Where each client would go, were it alone. */
function homes(table: PickTable, clients: readonly Source[]): number[] {
  const choice = new Choice();
  return clients.map((source) => {
    const row = pick(table, null, 0, choice, source);
    if (row >= 0) release(table, row, choice.step);
    return row;
  });
}

function hashTable(weights: readonly number[]): PickTable {
  return makeTable("source_hash", weights.map((weight) => ({ weight })), 16);
}

Deno.test("source_hash: a client comes back to its backend, and clients spread by weight", () => {
  const clients = clientsOf(7000);
  for (const weights of [[1, 1, 1, 1, 1, 1, 1], [1, 2, 4]]) {
    const table = hashTable(weights);
    const first = homes(table, clients);
    assertEquals(homes(table, clients), first);
    const sum = weights.reduce((total, weight) => total + weight, 0);
    countRows(first, weights.length).forEach((count, row) => {
      const share = (weights[row] ?? 0) / sum;
      // Four standard deviations.
      const most = 4 * Math.sqrt(clients.length * share * (1 - share));
      assert(Math.abs(count - clients.length * share) < most, `${count} of share ${share}`);
    });
  }
});

Deno.test("source_hash: a backend that leaves or joins moves its own clients only", () => {
  const clients = clientsOf(500);
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 8 }),
      fc.nat(7),
      (weights, which) => {
        const gone = which % weights.length;
        const table = hashTable(weights);
        const before = homes(table, clients);
        table.write(gone, ELIGIBLE, 0);
        const without = homes(table, clients);
        before.forEach((row, index) => {
          if (row !== gone) assertEquals(without[index], row);
          else assert(without[index] !== gone);
        });
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("source_hash: more weight draws clients to that backend and moves no others", () => {
  const clients = clientsOf(2000);
  const table = hashTable([1, 1, 1]);
  const before = homes(table, clients);
  setWeights(table, [2, 1, 1]);
  homes(table, clients).forEach((row, index) => {
    if (row !== before[index]) assertEquals(row, 0);
  });
});

Deno.test("source_hash: nobody holds more than its bounded share", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 101, max: 300 }),
      fc.integer({ min: 1, max: 200 }),
      fc.integer(),
      (weights, balance, count, seed) => {
        const table = hashTable(weights);
        table.words[HASH_BALANCE] = balance;
        const choice = new Choice();
        const sum = weights.reduce((total, weight) => total + weight, 0);
        // A few addresses, so that without the bound they would pile up.
        const clients = clientsOf(3, seed);
        for (let i = 0; i < count; i++) {
          const row = pick(table, null, 0, choice, clients[i % 3]);
          const limit = Math.ceil(balance * (i + 1) * (weights[row] ?? 0) / sum / 100);
          assert(choice.active < limit, `${choice.active} of ${limit}`);
        }
        const held = weights.map((_, row) => table.read(row, ACTIVE));
        assertEquals(held.reduce((total, active) => total + active, 0), count);
      },
    ),
  );
});

Deno.test("source_hash: a client passed on goes to the next of its own order, and comes home again", () => {
  const [client] = clientsOf(1);
  const table = hashTable([1, 1, 1, 1]);
  const [home = -1] = homes(table, [client ?? new Source()]);
  table.write(home, ELIGIBLE, 0);
  const [next = -1] = homes(table, [client ?? new Source()]);
  table.write(home, ELIGIBLE, 1);
  table.words[HASH_BALANCE] = 125;
  table.write(home, ACTIVE, 4);
  assertEquals(homes(table, [client ?? new Source()]), [next]);
  table.write(home, ACTIVE, 0);
  assertEquals(homes(table, [client ?? new Source()]), [home]);
  table.write(home, ACTIVE, 4);
  table.words[HASH_BALANCE] = 0;
  assertEquals(homes(table, [client ?? new Source()]), [home]);
});
