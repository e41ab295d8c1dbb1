// A backend's last place came back between a pick that had found none and its question whether any backend was
// full. So none was, the client did not wait in the pool's queue, and was refused: no_backend.

import { assertEquals } from "@std/assert";
import { PickTable } from "../../lib/core/pick/pick_table.ts";
import { CHOOSING_KERNELS, makeTable } from "../support/tables.ts";
import { within } from "../support/wait_for.ts";

const WORKERS = 2;
const ROUNDS = 200_000;

/** Takes the only place and gives it back. Tells how often it got it, and how often it was told not to wait. */
const SOURCE = `
  import { Choice, pick, release } from ${JSON.stringify(lib("core/pick/pick_kernels.ts"))};
  import { PickTable } from ${JSON.stringify(lib("core/pick/pick_table.ts"))};
  self.onmessage = ({ data: { buffer, gate } }) => {
    const table = new PickTable(buffer);
    const choice = new Choice();
    let found = 0;
    let refused = 0;
    Atomics.add(gate, 0, 1);
    while (Atomics.load(gate, 0) < ${WORKERS});
    for (let round = 0; round < ${ROUNDS}; round++) {
      const row = pick(table, null, 0.5, choice, undefined, 1000);
      if (row >= 0) release(table, row, choice.step);
      if (row >= 0) found++;
      else if (!choice.waits) refused++;
    }
    self.postMessage({ found, refused });
  };`;

function lib(path: string): string {
  return new URL(`../../lib/${path}`, import.meta.url).href;
}

interface Told {
  readonly found: number;
  readonly refused: number;
}

/** A thread's picks. */
async function picksOf(url: string, table: PickTable, gate: Int32Array): Promise<Told> {
  const worker = new Worker(url, { type: "module" });
  const { promise, resolve, reject } = Promise.withResolvers<Told>();
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = (event) => reject(new Error(event.message));
  worker.postMessage({ buffer: table.buffer, gate });
  try {
    return await within("the picks", promise);
  } finally {
    worker.terminate();
  }
}

Deno.test("who finds no place waits, though one comes back at that instant", async () => {
  const url = URL.createObjectURL(new Blob([SOURCE], { type: "application/javascript" }));
  try {
    for (const kernel of CHOOSING_KERNELS) {
      const table = makeTable(kernel, [{ max: 1, free: 8000 }]);
      const gate = new Int32Array(new SharedArrayBuffer(4));
      const told = await Promise.all(
        Array.from({ length: WORKERS }, () => picksOf(url, table, gate)),
      );
      const found = told.map((one) => one.found > 0);
      assertEquals([kernel, ...found, ...told.map(({ refused }) => refused)], [
        kernel,
        true,
        true,
        0,
        0,
      ]);
    }
  } finally {
    URL.revokeObjectURL(url);
  }
});
