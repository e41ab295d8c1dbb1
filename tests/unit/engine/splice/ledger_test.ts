// What clients hold is given back whole, however they end.

import { assert, assertEquals } from "@std/assert";
import { FULL, HELD, SourceTable } from "../../../../lib/core/admission/source_table.ts";
import { firstInQueue, queuedIn } from "../../../../lib/core/dial/pool_queue.ts";
import { Choice } from "../../../../lib/core/pick/choice.ts";
import { ACTIVE, PickTable, TOTAL } from "../../../../lib/core/pick/pick_table.ts";
import {
  allocateEngineMemory,
  allocateWorkerMemory,
  CLIENT_ADDRESS,
  FRONTEND,
  FRONTEND_ACTIVE,
  OPEN,
  OUT_OF_DESCRIPTORS,
  PLAN_REFERENCES,
  SOURCE_PLACE,
  STATE,
  TUNNEL_WORDS,
  WORKER_LOAD,
} from "../../../../lib/engine/splice/layout.ts";
import { Ledger, slotOf, workerOf } from "../../../../lib/engine/splice/ledger.ts";
import { AF_INET, EAGAIN, EMFILE, openLibc } from "../../../../lib/engine/splice/libc.ts";
import { reclaim } from "../../../../lib/engine/splice/reclaim.ts";
import { addRow } from "../../../support/tables.ts";

const [FRONTEND_ID, PLAN_ID, WORKER] = [3, 5, 1];

function clients(count: number) {
  const memory = allocateWorkerMemory(count);
  const engine = allocateEngineMemory();
  const table = PickTable.allocate(1, 0, 512);
  addRow(table, new Set(), {});
  const sources = SourceTable.allocate(16);
  const ledger = new Ledger(memory.words, engine, sources, WORKER);
  const address = new Int32Array([AF_INET, 0x0100_007f]);
  const limits = { maxConnections: count, penaltyMs: 0 };
  const enterSource = () => ledger.enterSource(FRONTEND_ID, address, 0, limits, 0);
  for (let slot = 0; slot < count; slot++) {
    const base = slot * TUNNEL_WORDS;
    memory.words.fill(-1, base + 2, base + 4);
    assertEquals(ledger.enter(FRONTEND_ID, count), true);
    assertEquals(enterSource(), HELD);
    memory.words[base + SOURCE_PLACE] = 1;
    memory.words.set(address, base + CLIENT_ADDRESS);
    ledger.assign(WORKER);
    memory.words[base + FRONTEND] = FRONTEND_ID;
    ledger.enterPlan(base, PLAN_ID);
    ledger.reserve(base, table, null, 0, new Choice(), 0);
  }
  assertEquals([ledger.enter(FRONTEND_ID, count), enterSource()], [false, FULL]);
  const isFree = () => {
    const outcomes = Array.from({ length: count }, enterSource);
    return outcomes.every((outcome) => outcome === HELD) && enterSource() === FULL;
  };
  const held = () => ({
    frontend: engine[FRONTEND_ACTIVE + FRONTEND_ID],
    worker: engine[WORKER_LOAD + WORKER],
    plan: engine[PLAN_REFERENCES + PLAN_ID],
    short: engine[OUT_OF_DESCRIPTORS],
    places: table.read(0, ACTIVE),
    queued: queuedIn(table),
  });
  return { memory, engine, sources, table, ledger, held, isFree };
}

const NOTHING = { frontend: 0, worker: 0, plan: 0, short: 0, places: 0, queued: 0 };

/** One has a tunnel, one connects, one waits for a descriptor, one for a backlog, one in the queue. */
function everyState() {
  const all = clients(5);
  const { ledger, table, memory } = all;
  for (let slot = 0; slot < 4; slot++) ledger.connect(slot * TUNNEL_WORDS);
  ledger.release(4 * TUNNEL_WORDS, table);
  assert(ledger.enterQueue(4 * TUNNEL_WORDS, table, 1));
  const first = firstInQueue(table);
  assertEquals([workerOf(first), slotOf(first)], [WORKER, 4]);
  ledger.open(0, table);
  memory.words[STATE] = OPEN;
  ledger.wait(2 * TUNNEL_WORDS, EMFILE);
  ledger.wait(3 * TUNNEL_WORDS, EAGAIN);
  assertEquals(all.held(), {
    frontend: 5,
    worker: 5,
    plan: 5,
    short: 1,
    places: 4,
    queued: 1,
  });
  assertEquals(table.read(0, TOTAL), 1);
  return all;
}

Deno.test("clients that end give back what they hold", () => {
  const { ledger, table, held, isFree } = everyState();
  ledger.end(0, table);
  for (let slot = 1; slot < 4; slot++) {
    ledger.connect(slot * TUNNEL_WORDS);
    ledger.release(slot * TUNNEL_WORDS, table);
    // Twice is once.
    ledger.release(slot * TUNNEL_WORDS, table);
  }
  assert(ledger.leaveQueue(4 * TUNNEL_WORDS, table));
  for (let slot = 0; slot < 5; slot++) {
    ledger.leavePlan(slot * TUNNEL_WORDS);
    ledger.leavePlan(slot * TUNNEL_WORDS);
    ledger.dismissClient(slot * TUNNEL_WORDS);
  }
  assertEquals(held(), NOTHING);
  assertEquals(isFree(), true);
});

Deno.test("a dead worker's clients give back what they hold", () => {
  const { memory, engine, sources, table, held, isFree } = everyState();
  const libc = openLibc();
  const tableOf = (planId: number) => planId === PLAN_ID ? table : undefined;
  assertEquals(reclaim(memory, WORKER, { libc, engine, sources, tableOf, nowMs: 0, atMs: 0 }), 1);
  assertEquals(held(), NOTHING);
  assertEquals(isFree(), true);
  libc.close();
});

Deno.test("a client is handed to the worker that has clearly less to do, or kept", () => {
  const { engine, ledger } = clients(8);
  assertEquals(ledger.leastBusy(3), 0);
  engine[WORKER_LOAD] = 7;
  engine[WORKER_LOAD + 2] = 7;
  assertEquals(ledger.leastBusy(3), WORKER);
  ledger.assign(0);
  ledger.keep(0);
  assertEquals([engine[WORKER_LOAD], engine[WORKER_LOAD + WORKER]], [7, 9]);
});
