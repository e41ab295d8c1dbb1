// What the control plane makes of tunnels that change under its eyes.

import { assertEquals } from "@std/assert";
import type { Names } from "../../../../lib/engine/splice/events.ts";
import {
  allocateWorkerMemory,
  FREE,
  OPEN,
  PLAN,
  STATE,
  TUNNEL_ID,
  TUNNEL_NUMBERS,
  TUNNEL_WORDS,
  type WorkerMemory,
} from "../../../../lib/engine/splice/layout.ts";
import { NONE } from "../../../../lib/engine/splice/ledger.ts";
import { readSessions } from "../../../../lib/engine/splice/session_reader.ts";
import { TunnelTable } from "../../../../lib/engine/splice/tunnel_table.ts";
import { planOf } from "../../../conformance/engine_fixture.ts";

const PLAN_OF_ALL = { pool: "p", plan: planOf(["192.0.2.1:22"]) };

/** A worker with open tunnels of these numbers. */
function workerWith(...tunnels: number[]): WorkerMemory {
  const memory = allocateWorkerMemory(8);
  const table = new TunnelTable(memory);
  for (const tunnel of tunnels) {
    const slot = table.take();
    memory.numbers[slot * TUNNEL_NUMBERS + TUNNEL_ID] = tunnel;
    memory.words[slot * TUNNEL_WORDS + STATE] = OPEN;
  }
  return memory;
}

/** Reads while `change` is made to the first tunnel's words between the first look at it and the last. */
function readWhile(memory: WorkerMemory, change: () => void): number[] {
  let changed = false;
  const names: Names = {
    frontend: () => {
      if (!changed) change();
      changed = true;
      return "f";
    },
    plan: (number) => number === NONE ? undefined : PLAN_OF_ALL,
    pool: () => "p",
    bound: () => undefined,
  };
  return readSessions([memory], names, 0, 0).map(({ tunnel }) => tunnel);
}

Deno.test("a tunnel that ends while it is read is left out", () => {
  const memory = workerWith(5, 3, 4);
  assertEquals(readWhile(memory, () => memory.words[STATE] = FREE), [3, 4]);
  assertEquals(readWhile(memory, () => {}), [3, 4]);
});

Deno.test("a tunnel whose slot another one has taken while it is read is left out", () => {
  const memory = workerWith(5, 3);
  assertEquals(readWhile(memory, () => memory.numbers[TUNNEL_ID] = 6), [3]);
  assertEquals(readWhile(memory, () => {}), [3, 6]);
});

Deno.test("a tunnel that has given its plan back is left out", () => {
  const memory = workerWith(5, 3);
  memory.words[PLAN] = NONE;
  assertEquals(readWhile(memory, () => {}), [3]);
});

Deno.test("slots that were never in use are not looked at", () => {
  const memory = workerWith(1);
  memory.words[TUNNEL_WORDS + STATE] = OPEN;
  assertEquals(readWhile(memory, () => {}), [1]);
});
