import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  parseRecordLine,
  RECORD_BEGINNING,
  RECORD_VERSION,
} from "../../../lib/record/record_format.ts";

const HEADER = {
  kind: "recording",
  version: RECORD_VERSION,
  program: "0.1.0",
  at: "2026-11-21T08:30:12.104Z",
  t: 1,
};
const BACKEND = { backend: "a:22", state: "ready", cores: 4, max: 0 };
const PICK = {
  t: 1,
  strategy: "least_load",
  why: "only_one",
  backend: "a:22",
  failure: null,
  backends: [{ backend: "a:22", outcome: "chosen", free: 3.5, score: null, active: 0 }],
  omitted: 0,
  nearlyEqual: 0.05,
  draw: 0.5,
};
const CLIENT = { t: 2, frontend: "ssh", pool: "p", client: "192.0.2.7:5", picks: [PICK] };

const LINES = [
  HEADER,
  {
    kind: "pool",
    t: 1,
    pool: "p",
    strategy: "least_load",
    fallback: "round_robin",
    interval: 10_000,
    max_age: 60_000,
    rules: { hash_balance: 125, sticky: 60, pace: 8, pace_within: 10_000 },
    backends: [{ ...BACKEND, row: 0, active: 1, load1: 0.5, taken: 0.5 }],
  },
  { kind: "backend", t: 1, pool: "p", ...BACKEND },
  { kind: "sample", t: 1, pool: "p", backend: "a:22", load1: 0.5, taken: 1 },
  { kind: "opened", tunnel: 1, backend: "a:22", ...CLIENT },
  { kind: "refused", reason: "no_backend", ...CLIENT },
  {
    kind: "closed",
    t: 3,
    tunnel: 1,
    pool: "p",
    backend: "a:22",
    sent: 1,
    received: 2,
    duration_ms: 1,
    reason: "client_closed",
  },
] as const;

/** The same with everything that may be missing. */
const FULL_LINES = [
  {
    ...LINES[1],
    hash_balance: 0,
    sticky: 43_200_000,
    pace: { sessions: 8, within: 10_000 },
    queue: 3000,
    memory_weight: 1,
    backends: [{
      ...LINES[1].backends[0],
      instant: true,
      cpu_pressure: 0.5,
      session_cost: 0.2,
      memory: 0.25,
    }],
  },
  { ...LINES[2], state: "memory", backup: 2 },
  { ...LINES[2], usable: true, weight: 0.5, load_weight: 2, doubted: true },
  { ...LINES[3], instant: false, cpu_pressure: 0, session_cost: 0, memory: 1 },
  { ...LINES[4], sticky: true },
  { ...LINES[6], client: "192.0.2.7:5" },
];

Deno.test("what later programs of the version say is read, and must be right where it is said", () => {
  for (const [index, line] of FULL_LINES.entries()) {
    assertEquals<unknown>(parseRecordLine(JSON.stringify(line)), { ok: true, value: line });
    const plain = LINES.find(({ kind }) => kind === line.kind);
    for (const key of Object.keys(line).filter((key) => !(key in (plain ?? {})))) {
      for (const value of [null, -1, []]) {
        const parsed = parseRecordLine(JSON.stringify({ ...line, [key]: value }));
        assert(!parsed.ok && parsed.message.includes(`"${key}"`), `${index} ${key}`);
      }
    }
  }
  const words = parseRecordLine(JSON.stringify({ ...LINES[2], state: "another_word" }));
  assert(words.ok);
  const pace = { ...LINES[1], pace: { sessions: 8 } };
  assert(!parseRecordLine(JSON.stringify(pace)).ok);
});

Deno.test("every kind of line is read, keys of later versions included", () => {
  for (const line of LINES) {
    const more = { ...line, later: [1] };
    assertEquals<unknown>(parseRecordLine(JSON.stringify(more)), { ok: true, value: more });
  }
  assert(JSON.stringify(HEADER).startsWith(RECORD_BEGINNING));
});

Deno.test("a line that lacks something, or has it wrong, is told of", () => {
  for (const line of LINES) {
    for (const key of Object.keys(line).filter((key) => key !== "kind")) {
      // What replays do not need may be missing.
      if (
        key === "duration_ms" || key === "rules" || (key === "reason" && line.kind === "closed")
      ) continue;
      for (const value of [undefined, {}, null]) {
        const parsed = parseRecordLine(JSON.stringify({ ...line, [key]: value }));
        assert(!parsed.ok && parsed.message.includes(`"${key}"`), `${line.kind} ${key}`);
      }
    }
  }
  const message = (line: unknown) => {
    const parsed = parseRecordLine(JSON.stringify(line));
    return parsed.ok ? "" : parsed.message;
  };
  assertEquals(
    message({ ...HEADER, version: 2 }),
    'Cannot use 2 as "version" of "recording": expected 1',
  );
  assert(
    message({ kind: "odd" }).startsWith('Cannot read a line of kind "odd": expected recording'),
  );
  assert(message([]).includes("expected an object"));
});

Deno.test("parseRecordLine() never throws", () => {
  const values = fc.oneof(
    fc.string(),
    fc.json(),
    fc.constantFrom(...LINES.map((line) => JSON.stringify(line))),
  );
  fc.assert(fc.property(values, fc.nat(400), fc.string({ maxLength: 2 }), (text, at, noise) => {
    parseRecordLine(text);
    parseRecordLine(text.slice(0, at) + noise + text.slice(at + 1));
  }));
});
