// Clients that had left a pool's queue took up room in it for as long as one waited who had come before them: after
// some 16,000 of them everybody else was refused, queue_full, though two waited.

import { assert, assertEquals } from "@std/assert";
import {
  closeUp,
  enterQueue,
  firstInQueue,
  leaveQueue,
  NO_ROOM,
  QUEUE_SIZE,
  queuedIn,
} from "../../lib/core/dial/pool_queue.ts";
import { PickTable } from "../../lib/core/pick/pick_table.ts";

const MANY = 1000;

Deno.test("however many leave a queue, others can enter it", () => {
  const table = PickTable.allocate(1, 16, QUEUE_SIZE);
  const stay = [7, 8].map((who) => enterQueue(table, who, MANY));
  for (let count = 1; count <= 3 * QUEUE_SIZE; count++) {
    const ticket = enterQueue(table, 100, MANY);
    assert(ticket !== NO_ROOM, `${count - 1} have left`);
    leaveQueue(table, ticket);
    if (count % MANY === 0) stay.forEach((one, at) => stay[at] = closeUp(table, one));
  }
  assertEquals([queuedIn(table), firstInQueue(table)], [2, 7]);
});
