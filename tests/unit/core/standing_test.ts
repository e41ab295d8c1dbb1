import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { PickTable } from "../../../lib/core/pick_table.ts";
import { Pool } from "../../../lib/core/pool.ts";
import { standingOf } from "../../../lib/core/standing.ts";

const RULES = { rise: 1, fall: 1, loadMaxAgeMs: 60_000, rowRestMs: 0 };
const ADDRESS = { transport: "tcp", host: "192.0.2.1", port: 22 } as const;

Deno.test("a backend is ready when sessions may be sent there, else it is said why not", () => {
  const situation = fc.record({
    leaves: fc.boolean(),
    isDown: fc.boolean(),
    admin: fc.constantFrom("enabled" as const, "draining" as const, "disabled" as const),
    isHeld: fc.boolean(),
    isResolved: fc.boolean(),
  });
  fc.assert(fc.property(situation, ({ leaves, isDown, admin, isHeld, isResolved }) => {
    const pool = new Pool("p", RULES, PickTable.allocate(4));
    const backend = { id: "a", address: ADDRESS, maxConnections: 0 };
    pool.setBackends([backend], 0);
    const [member] = pool.members;
    if (member === undefined) throw new Error("The pool is empty");
    pool.observeProbe(
      "a",
      isDown ? { ok: false, failure: "refused", reason: "" } : { ok: true, latencyMs: 1 },
      0,
    );
    member.admin = admin;
    if (isHeld) pool.observeLoad("a", { kind: "offline" }, 0);
    if (isResolved) pool.observeName("a", [ADDRESS]);
    if (leaves) pool.setBackends([], 0);
    const expected = leaves
      ? "leaving"
      : isDown
      ? "down"
      : admin !== "enabled"
      ? admin
      : isHeld
      ? "held_back"
      : isResolved
      ? "ready"
      : "unresolved";
    assertEquals([standingOf(member), pool.isUsable(member)], [expected, expected === "ready"]);
  }));
});
