// A damaged recording in which a backend's row is beyond the table ended simulate with a stack trace, or,
// for a row of a thousand million, let it fill the memory.

import { assert, assertEquals } from "@std/assert";
import { parseRecordLine } from "../../lib/record/record_format.ts";

function parsePool(rows: readonly number[]) {
  return parseRecordLine(JSON.stringify({
    kind: "pool",
    t: 1,
    pool: "p",
    strategy: "least_load",
    fallback: "round_robin",
    interval: 1000,
    max_age: 60_000,
    backends: rows.map((row) => ({
      backend: `b${row}:22`,
      state: "ready",
      cores: 4,
      max: 0,
      active: 0,
      row,
    })),
  }));
}

Deno.test("rows of a recorded pool are rows of a table, each of one backend", () => {
  assert(parsePool([0, 1023]).ok);
  for (const rows of [[1024], [1e9], [0.5], [-1], [3, 3]]) {
    assertEquals(parsePool(rows), {
      ok: false,
      message: `Cannot use a list of ${rows.length} as "backends" of "pool"`,
    });
  }
});
