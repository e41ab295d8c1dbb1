import { assert, assertEquals } from "@std/assert";
import { whyQuery } from "../../../lib/admin/queries.ts";
import { readQuery } from "../../../lib/admin/reading.ts";
import type { DecisionReport } from "../../../lib/admin/why_report.ts";
import type { PickReport } from "../../../lib/core/pick/pick_report.ts";
import { isWhyReport, MOST_DECISIONS, whyResource } from "../../../lib/admin/why_report.ts";
import { renderWhy } from "../../../lib/cli/why_text.ts";
import fc from "fast-check";
import { TOPICS } from "../../../lib/manual/topics.ts";

const PICK: PickReport = {
  at: "2026-11-21T08:30:12.104Z",
  strategy: "least_load",
  why: "most_free",
  backend: "kelvin:22",
  failure: null,
  backends: [
    { backend: "kelvin:22", outcome: "chosen", free: 9, score: 9, active: 2, weight: 1 },
    { backend: "hoek:22", outcome: "less_free", free: 4.04, score: 4, active: 1, weight: 1 },
    { backend: "euler:22", outcome: "down", free: 12, score: null, active: 0, weight: 1 },
  ],
  omitted: 0,
  nearlyEqual: 0.05,
  draw: 0.25,
};

const DECISION: DecisionReport = {
  at: "2026-11-21T08:30:12.105Z",
  tunnel: 17,
  frontend: "ssh",
  pool: "compute",
  client: "10.1.2.3:51022",
  backend: "kelvin:22",
  refused: null,
  queueMs: 0,
  picks: [PICK],
};

function textOf(...decisions: DecisionReport[]): string {
  return renderWhy({ version: "0", now: "", decisions }, false);
}

Deno.test("why says what the manual shows", () => {
  const manual = TOPICS.find(({ name }) => name === "status")?.text ?? "";
  const [shown = ""] = /^ {4}2026\S* client .*\n(?: {8}.*\n)+/m.exec(manual) ?? [];
  // A page has no room for the first line.
  assertEquals(textOf(DECISION), shown.replace(/\n +/, " ").replaceAll(/^ {4}/gm, ""));
});

Deno.test("why calls no backend the one with most free cores when the next has more", () => {
  const [winner, next] = PICK.backends;
  assert(winner !== undefined && next !== undefined);
  const heavy = { ...winner, free: 3, weight: 30 };
  const backends = [heavy, { ...next, outcome: "lighter" as const }];
  const [first = "", ...rows] = textOf({ ...DECISION, picks: [{ ...PICK, backends }] }).split("\n");
  assertEquals(
    first.replace(/.*kelvin:22: /, ""),
    "3.0 cores free, best in pool compute (next: hoek:22 4.0)",
  );
  assertEquals(rows[2], "    hoek:22     4.0         1  more cores free, but less weight");
});

Deno.test("why tells attempts that failed, and clients that nobody took", () => {
  const failed: PickReport = { ...PICK, failure: "refused" };
  const nobody: PickReport = {
    ...PICK,
    backend: null,
    why: "nobody",
    backends: PICK.backends.slice(1).map((seen) => ({ ...seen, outcome: "tried" as const })),
    omitted: 3,
  };
  const refused: DecisionReport = {
    ...DECISION,
    tunnel: null,
    backend: null,
    refused: "connect_failed",
    picks: [failed, nobody],
  };
  const lines = textOf(refused, { ...refused, refused: "frontend_full", picks: [] }).split("\n");
  assertEquals(lines.filter((line) => !line.startsWith("    ")), [
    "2026-11-21T08:30:12.105Z client 10.1.2.3:51022 turned away by frontend ssh: " +
    "no backend that was tried took it",
    "  attempt 1 of 2: kelvin:22 did not take it: refused",
    "  attempt 2 of 2: nobody was left",
    "",
    "2026-11-21T08:30:12.105Z client 10.1.2.3:51022 turned away by frontend ssh: " +
    "the frontend's max_connections was reached",
    "",
  ]);
  assertEquals(lines.includes("    hoek:22    4.0         1  tried already"), true);
  assertEquals(lines.includes("    and 3 more"), true);
});

Deno.test("why tells how long a client waited in the queue", () => {
  const [line = ""] = textOf({ ...DECISION, queueMs: 2140 }).split("\n");
  assert(line.endsWith(" (waited 2.1s in the queue)"), line);
  const vain = {
    ...DECISION,
    tunnel: null,
    backend: null,
    refused: "queue_timeout",
    queueMs: 3000,
  };
  assertEquals(
    textOf(vain).split("\n")[0]?.split("frontend ssh: ")[1],
    "every backend was full for as long as queue.timeout lets it wait (waited 3.0s in the queue)",
  );
});

Deno.test("why has a headline for every reason", () => {
  const headlineOf = (why: PickReport["why"]) =>
    textOf({ ...DECISION, picks: [{ ...PICK, why }] }).split("\n")[0]?.split("kelvin:22: ")[1];
  assertEquals(headlineOf("turn"), "its turn in pool compute");
  assertEquals(headlineOf("chance"), "drawn by chance in pool compute");
  assertEquals(
    headlineOf("fewest"),
    "2 sessions, fewest in pool compute (next: hoek:22 1 session)",
  );
  assertEquals(
    headlineOf("only_one"),
    "9.0 cores free, the only one in pool compute that could be chosen",
  );
  assertEquals(
    headlineOf("near_equal"),
    "9.0 cores free, drawn by chance among near-equals in pool compute (next: hoek:22 4.0)",
  );
  assertEquals(textOf({ ...DECISION, picks: [] }).includes("no record of why"), true);
  const backends = PICK.backends.map((one) =>
    one.outcome === "less_free" ? { ...one, outcome: "not_chosen" as const } : one
  );
  const hashed = textOf({ ...DECISION, picks: [{ ...PICK, why: "hash", backends }] });
  assertEquals(hashed.includes("1  later in this client's order, or above its share\n"), true);
  const stuck = textOf({ ...DECISION, picks: [{ ...PICK, why: "sticky", backends }] });
  assertEquals(stuck.includes("1  not chosen\n"), true);
});

const readWhyQuery = (query: string) => readQuery(whyQuery, { query });

Deno.test("what why asks for survives the way to the balancer", () => {
  const query = fc.record({
    last: fc.integer({ min: 1, max: MOST_DECISIONS }),
    client: fc.string({ unit: "grapheme", minLength: 1, maxLength: 5 }),
  }, { requiredKeys: ["last"] });
  fc.assert(fc.property(query, (query) => {
    const resource = whyResource(query);
    assertEquals(/^\/v1\/why\?\S+$/.test(resource), true);
    assertEquals(readWhyQuery(resource.split("?")[1] ?? ""), { ok: true, value: query });
  }));
  assertEquals(readWhyQuery(""), { ok: true, value: { last: 1 } });
  for (
    const wrong of ["last=0", `last=${MOST_DECISIONS + 1}`, "last=x", "lust=1", "last=1&last=1"]
  ) {
    assertEquals([wrong, readWhyQuery(wrong).ok], [wrong, false]);
  }
  assertEquals(isWhyReport({ version: "1", decisions: [] }), true);
  assertEquals(isWhyReport({ version: "1" }), false);
});
