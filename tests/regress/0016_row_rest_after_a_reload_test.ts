// A reload that made connect.timeout shorter let rows of backends that had left be given away while clients
// that came before it were still looking for a backend by the old plan, for as long as the old timeout. Such
// a client went to the backend that had left, and was counted on the one that had joined.

import { assertEquals, assertNotEquals } from "@std/assert";
import { PickTable } from "../../lib/core/pick/pick_table.ts";
import { Pool } from "../../lib/core/pool/pool.ts";
import { backendsNamed } from "../support/pools.ts";

Deno.test("a row rests as long as the longest search that may still go on", () => {
  const rules = { rise: 1, fall: 1, loadMaxAgeMs: 60_000, rowRestMs: 121_000 };
  const pool = new Pool("p", rules, PickTable.allocate(8));
  pool.setBackends(backendsNamed(["a", "b"]), 0);
  const row = pool.member("b")?.row;
  pool.setRules({ ...rules, rowRestMs: 5000 });
  pool.setBackends(backendsNamed(["a"]), 0);
  pool.tick(120_000);
  pool.setBackends(backendsNamed(["a", "c"]), 120_000);
  assertNotEquals(pool.member("c")?.row, row);
  pool.tick(121_000);
  pool.setBackends(backendsNamed(["a", "c", "d"]), 121_000);
  assertEquals(pool.member("d")?.row, row);
});
