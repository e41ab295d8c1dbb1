// A reload that switched black_holes off made the watch judge backends by runs of any length: one whose
// last three sessions had been lost was held back as a black hole from the next second on.

import { assertEquals } from "@std/assert";
import { BlackHoles } from "../../lib/core/watch/black_holes.ts";
import { runningPool, usableIn } from "../support/pools.ts";

const RULES = { sessions: 5, holdMs: 60_000, maxHeldShare: 0.5 };

Deno.test("black holes are not looked for once they are switched off", () => {
  const pool = runningPool(["a", "b", "c"]);
  const holes = new BlackHoles(RULES);
  let tunnel = 0;
  const session = (id: string, bytesToClient: number, durationMs: number) => {
    holes.opened(pool, id, ++tunnel, `client${tunnel}`, tunnel * 1000);
    const end = { bytesToBackend: 100, bytesToClient, durationMs, by: "backend" } as const;
    holes.closed(pool, id, tunnel, end, tunnel * 1000 + durationMs);
  };
  for (let i = 0; i < 200; i++) session("b", 5000, 600_000);
  for (let i = 0; i < 4; i++) session("a", 0, 10);
  assertEquals(usableIn(pool), ["a", "b", "c"]);
  holes.setRules(pool, { ...RULES, sessions: 0 });
  assertEquals(holes.tick(pool, 1_000_000), []);
  assertEquals(usableIn(pool), ["a", "b", "c"]);
  // What lived in between was not seen, so the run does not go on afterwards.
  holes.setRules(pool, RULES);
  session("a", 0, 10);
  assertEquals(usableIn(pool), ["a", "b", "c"]);
});
