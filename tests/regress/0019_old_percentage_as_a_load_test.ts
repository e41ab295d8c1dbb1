// An agent that had once said a percentage and went on with words alone ("ready") had that percentage taken
// for a load of now at every answer: all cores free, for ever.

import { assertEquals } from "@std/assert";
import { parseBackendSpec } from "../../lib/core/pool/backend.ts";
import { PickTable } from "../../lib/core/pick/pick_table.ts";
import { Pool } from "../../lib/core/pool/pool.ts";

Deno.test("a percentage is a load when it is said, and a weight until another is", () => {
  const rules = { rise: 1, fall: 1, loadMaxAgeMs: 60_000, rowRestMs: 0 };
  const pool = new Pool("p", rules, PickTable.allocate(2));
  const backend = parseBackendSpec("a:22=8");
  if (!backend.ok) throw new Error(backend.message);
  pool.setBackends([backend.value], 0);
  const [member] = pool.members;
  if (member === undefined) throw new Error("The pool is empty");
  pool.observeLoad("a:22", { kind: "advice", advice: { share: 0.5 } }, 1000);
  assertEquals(pool.freshLoad(member, 1000)?.load1, 4);
  pool.observeLoad("a:22", { kind: "advice", advice: { admin: "ready" } }, 50_000);
  assertEquals(member.load?.takenAtMs, 1000);
  assertEquals(pool.freshLoad(member, 62_000), undefined);
  assertEquals(pool.weightOf(member), 0.5);
});
