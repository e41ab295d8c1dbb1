// The queue of a pool keeps its order, whoever leaves it and from whichever thread.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  closeUp,
  countTimeout,
  enterQueue,
  firstInQueue,
  leaveQueue,
  NO_ROOM,
  NOBODY,
  queuedIn,
} from "../../../../lib/core/dial/pool_queue.ts";
import {
  PickTable,
  QUEUE_HEAD,
  QUEUE_TAIL,
  QUEUE_TIMEOUTS,
  QUEUED_TOTAL,
} from "../../../../lib/core/pick/pick_table.ts";
import { within } from "../../../support/wait_for.ts";

const MANY = 1000;

function tableOf(queueEntries = 1024): PickTable {
  return PickTable.allocate(1, 16, queueEntries);
}

Deno.test("clients come to the front in the order in which they came", () => {
  const table = tableOf();
  assertEquals([queuedIn(table), firstInQueue(table)], [0, NOBODY]);
  const tickets = [7, 0, 9].map((who) => enterQueue(table, who, MANY));
  assertEquals([queuedIn(table), firstInQueue(table)], [3, 7]);
  const seen = tickets.map((ticket) => [leaveQueue(table, ticket), firstInQueue(table)]);
  assertEquals(seen, [[true, 0], [true, 9], [true, NOBODY]]);
  assertEquals([queuedIn(table), table.words[QUEUED_TOTAL]], [0, 3]);
});

Deno.test("who leaves from the middle is passed over, and moves nobody", () => {
  const table = tableOf();
  const [first, second, third] = [1, 2, 3].map((who) => enterQueue(table, who, MANY));
  assert(first !== undefined && second !== undefined && third !== undefined);
  assertEquals([leaveQueue(table, second), firstInQueue(table)], [false, 1]);
  assertEquals([leaveQueue(table, first), firstInQueue(table)], [true, 3]);
  assertEquals([leaveQueue(table, third), queuedIn(table)], [true, 0]);
});

Deno.test("no more wait than may, nor than there is room for", () => {
  const table = tableOf();
  assertEquals([1, 2, 3].map((who) => enterQueue(table, who, 2)), [0, 1, NO_ROOM]);
  assertEquals([queuedIn(table), table.words[QUEUED_TOTAL]], [2, 2]);
  assertEquals(enterQueue(PickTable.allocate(1), 1, MANY), NO_ROOM);
  // The first stays; those behind it come and go, until no word is left for one more, since none closes up.
  let last = 0;
  for (let count = 0; last !== NO_ROOM; count++) {
    assert(count < 1024, "those who have left are forgotten before the head has passed them");
    last = enterQueue(table, count, MANY);
    if (last !== NO_ROOM) leaveQueue(table, last);
  }
  assertEquals([queuedIn(table), firstInQueue(table)], [2, 1]);
  leaveQueue(table, 0);
  assert(enterQueue(table, 5, MANY) !== NO_ROOM);
});

Deno.test("those who close up leave room for as many as may wait, however many come and go", () => {
  const table = tableOf();
  const stay = [7, 8].map((who) => enterQueue(table, who, MANY));
  for (let count = 0; count < 5000; count++) {
    const ticket = enterQueue(table, 100 + count, MANY);
    assert(ticket !== NO_ROOM);
    if (count === 1000 || count === 3000) stay.push(ticket);
    else leaveQueue(table, ticket);
    for (const [at, one] of stay.entries()) stay[at] = closeUp(table, one);
  }
  assertEquals([queuedIn(table), firstInQueue(table)], [4, 7]);
  const first = stay.map((ticket) => [leaveQueue(table, ticket), firstInQueue(table)]);
  assertEquals(first, [[true, 8], [true, 1100], [true, 3100], [true, NOBODY]]);
});

Deno.test("tickets come round again", () => {
  const table = tableOf();
  table.words[QUEUE_HEAD] = table.words[QUEUE_TAIL] = (1 << 30) - 2;
  const tickets = [1, 2, 3, 4].map((who) => enterQueue(table, who, MANY));
  assertEquals(tickets, [(1 << 30) - 2, (1 << 30) - 1, 0, 1]);
  for (const [index, ticket] of tickets.entries()) {
    assertEquals(firstInQueue(table), index + 1);
    leaveQueue(table, ticket);
  }
  assertEquals(firstInQueue(table), NOBODY);
});

Deno.test("whoever comes and goes, the first is who came first of those who are there", () => {
  const steps = fc.array(fc.oneof(fc.constant(-1), fc.constant(-2), fc.nat(20)), {
    maxLength: 200,
  });
  fc.assert(fc.property(steps, (moves) => {
    const table = tableOf(512);
    const waiting: { who: number; ticket: number }[] = [];
    let who = 0;
    for (const move of moves) {
      if (move === -2) {
        for (const one of waiting) one.ticket = closeUp(table, one.ticket);
      } else if (move < 0) {
        const ticket = enterQueue(table, who, MANY);
        assert(ticket !== NO_ROOM);
        waiting.push({ who: who++, ticket });
      } else {
        const at = move % (waiting.length + 1);
        const [one] = waiting.splice(at, 1);
        if (one !== undefined) assertEquals(leaveQueue(table, one.ticket), at === 0);
      }
      assertEquals(firstInQueue(table), waiting[0]?.who ?? NOBODY);
      assertEquals(queuedIn(table), waiting.length);
    }
  }));
});

Deno.test("an emptied table has nobody in its queue, and is itself still", () => {
  const table = tableOf();
  const { id } = table;
  enterQueue(table, 3, MANY);
  countTimeout(table);
  assertEquals(table.words[QUEUE_TIMEOUTS], 1);
  table.clear();
  assertEquals([queuedIn(table), firstInQueue(table), table.id], [0, NOBODY, id]);
  assert(tableOf().id !== id);
  assertEquals(new PickTable(table.buffer).id, id);
  assert(enterQueue(table, 4, MANY) !== NO_ROOM);
});

const WORKERS = 3;
/** Each thread enters, waits for its turn as the first, leaves; now and then it leaves before. */
const SOURCE = `
  import { enterQueue, firstInQueue, leaveQueue, NO_ROOM } from
    ${JSON.stringify(new URL("../../../../lib/core/dial/pool_queue.ts", import.meta.url).href)};
  import { PickTable } from
    ${JSON.stringify(new URL("../../../../lib/core/pick/pick_table.ts", import.meta.url).href)};
  self.onmessage = ({ data: { buffer, gate, number, rounds } }) => {
    const table = new PickTable(buffer);
    const served = [];
    let state = number * 7919 + 1;
    Atomics.add(gate, 0, 1);
    while (Atomics.load(gate, 0) < ${WORKERS});
    for (let round = 0; round < rounds; round++) {
      state = Math.imul(state, 1664525) + 1013904223 | 0;
      const tickets = [];
      for (let n = 0; n <= (state >>> 16) % 4; n++) {
        const ticket = enterQueue(table, number, 1000);
        if (ticket !== NO_ROOM) tickets.push(ticket);
      }
      if ((state & 0x300) === 0 && tickets.length > 1) leaveQueue(table, tickets.splice(1, 1)[0]);
      for (const ticket of tickets) {
        while (firstInQueue(table) !== number);
        // Only the holder of the lowest ticket is here.
        if (Atomics.add(gate, 1, 1) !== 0) throw new Error("Two are first");
        served.push(ticket);
        Atomics.sub(gate, 1, 1);
        leaveQueue(table, ticket);
      }
    }
    self.postMessage(served);
  };`;

Deno.test("threads that come and go at once have one first, in order, and leave nobody behind", async () => {
  const url = URL.createObjectURL(new Blob([SOURCE], { type: "application/javascript" }));
  const workers = Array.from({ length: WORKERS }, () => new Worker(url, { type: "module" }));
  try {
    // Small, so that tickets go round the ring many times.
    const table = tableOf(512);
    const gate = new Int32Array(new SharedArrayBuffer(8));
    const served = await within(
      "the threads",
      Promise.all(workers.map((worker, number) => {
        const { promise, resolve, reject } = Promise.withResolvers<readonly number[]>();
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = (event) => {
          event.preventDefault();
          reject(new Error(event.message));
        };
        worker.postMessage({ buffer: table.buffer, gate, number, rounds: 300 });
        return promise;
      })),
    );
    for (const tickets of served) {
      assert(tickets.length > 300);
      assert(tickets.every((ticket, i) => i === 0 || ticket > (tickets[i - 1] ?? NaN)));
    }
    assertEquals([queuedIn(table), firstInQueue(table)], [0, NOBODY]);
    assertEquals(table.words[QUEUE_HEAD], table.words[QUEUE_TAIL]);
  } finally {
    for (const worker of workers) worker.terminate();
    URL.revokeObjectURL(url);
  }
});
