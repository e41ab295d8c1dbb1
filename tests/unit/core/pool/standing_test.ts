import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { HOLD_CAUSES } from "../../../../lib/core/pool/member.ts";
import { PickTable } from "../../../../lib/core/pick/pick_table.ts";
import { Pool } from "../../../../lib/core/pool/pool.ts";
import { standingOf } from "../../../../lib/core/pool/standing.ts";

const RULES = { rise: 1, fall: 1, loadMaxAgeMs: 60_000, rowRestMs: 0 };
const ADDRESS = { transport: "tcp", host: "192.0.2.1", port: 22 } as const;

Deno.test("a backend is ready when sessions may be sent there, else it is said why not", () => {
  const situation = fc.record({
    leaves: fc.boolean(),
    isDown: fc.boolean(),
    admin: fc.constantFrom("enabled" as const, "draining" as const, "disabled" as const),
    holds: fc.subarray([...HOLD_CAUSES]),
    weight: fc.constantFrom(0, 1),
    forgiven: fc.subarray([...HOLD_CAUSES, "down" as const]),
    isResolved: fc.boolean(),
  });
  fc.assert(fc.property(situation, ({ leaves, isDown, admin, isResolved, ...given }) => {
    const pool = new Pool("p", RULES, PickTable.allocate(4));
    const backend = { id: "a", address: ADDRESS, maxConnections: 0, weight: given.weight };
    pool.setBackends([backend], 0);
    const [member] = pool.members;
    if (member === undefined) throw new Error("The pool is empty");
    pool.observeProbe(
      "a",
      isDown ? { ok: false, failure: "refused", reason: "" } : { ok: true, latencyMs: 1 },
      0,
    );
    member.admin = admin;
    for (const cause of given.holds) pool.hold("a", cause, "why", 0);
    pool.setForgiven(new Set(given.forgiven));
    const hold = given.holds.find((cause) => !given.forgiven.includes(cause));
    if (isResolved) pool.observeName("a", [ADDRESS]);
    if (leaves) pool.setBackends([], 0);
    const expected = leaves
      ? "leaving"
      : isDown && !given.forgiven.includes("down")
      ? "down"
      : admin !== "enabled"
      ? admin
      : hold !== undefined
      ? hold
      : !isResolved
      ? "unresolved"
      : given.weight === 0
      ? "no_weight"
      : "ready";
    assertEquals([standingOf(pool, member), pool.isUsable(member)], [
      expected,
      expected === "ready",
    ]);
  }));
});
