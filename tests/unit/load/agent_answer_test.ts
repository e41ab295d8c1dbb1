import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { AgentAdvice } from "../../../lib/core/pool/agent_advice.ts";
import { parseAgentAnswer } from "../../../lib/load/agent_answer.ts";

function adviceIn(line: string): AgentAdvice {
  const answer = parseAgentAnswer(line);
  if (!answer.ok) throw new Error(answer.message);
  return answer.value.advice;
}

Deno.test("parseAgentAnswer() reads every word as HAProxy does", () => {
  const cases: readonly [string, AgentAdvice][] = [
    ["", {}],
    [" \t, ", {}],
    ["75%", { share: 0.75 }],
    ["010%", { share: 0.1 }],
    ["0%", { share: 0 }],
    ["200%", { share: 2 }],
    ["99999%", { share: 256 }],
    ["maxconn:30", { maxConnections: 30 }],
    ["MAXCONN:0", { maxConnections: 0 }],
    ["ready", { admin: "ready" }],
    ["Drain", { admin: "drain" }],
    ["maint", { admin: "maint" }],
    ["UP", { health: "up" }],
    ["down", { health: "down" }],
    ["fail", { health: "fail" }],
    ["stopped", { health: "stopped" }],
    ["\t15%,maxconn:3,,drain ", { share: 0.15, maxConnections: 3, admin: "drain" }],
    ["up ready 50%", { share: 0.5, admin: "ready", health: "up" }],
    ["20% up down 30%", { share: 0.3, health: "down" }],
    ["down up", { health: "up" }],
    ["down #disk full", { health: "down", description: "disk full" }],
    ["down,# disk, full", { health: "down", description: "disk, full" }],
    ["down#disk full", { health: "down", description: "disk full" }],
    ["fail #\x1b[31mred\x00", { health: "fail", description: "[31mred" }],
    ["#only words", { description: "only words" }],
  ];
  for (const [line, advice] of cases) assertEquals([line, adviceIn(line)], [line, advice]);
});

Deno.test("parseAgentAnswer() passes over what means nothing, and says the first of it", () => {
  assertEquals(adviceIn("44% 50 foo"), { share: 0.44, unknown: "50" });
  assertEquals(adviceIn("75.5% -5% 7%x % maxconn:-1 maxconn:8x up"), {
    health: "up",
    unknown: "75.5%",
  });
  for (
    const garbage of [
      "SSH-2.0-OpenSSH_9.2p1 Debian-2",
      "HTTP/1.1 400 Bad Request",
      "75 percent",
      "\xff\xfe",
    ]
  ) {
    const answer = parseAgentAnswer(garbage);
    assert(!answer.ok && answer.message.startsWith(`Cannot read "${garbage}": expected words`));
  }
});

Deno.test("parseAgentAnswer() finds the figures behind the sharp", () => {
  const line = "87% ready #load1=1.04 cores=8 idle=0.873 memory_available_bytes=7516192768 " +
    "memory_total_bytes=16000000000 cpu_pressure=0.0123 memory_pressure=0 sessions=3 nologin, too";
  assertEquals(parseAgentAnswer(line), {
    ok: true,
    value: {
      advice: { share: 0.87, admin: "ready", description: "nologin, too" },
      load: {
        load1: 1.04,
        cores: 8,
        memoryAvailableBytes: 7516192768,
        memoryTotalBytes: 16000000000,
        cpuPressure: 0.0123,
        memoryPressure: 0,
        loginSessions: 3,
      },
    },
  });
  assertEquals(parseAgentAnswer("#load1=2"), {
    ok: true,
    value: { advice: {}, load: { load1: 2 } },
  });
  // Not the agent's figures but somebody's sentence, or figures out of range.
  assertEquals(parseAgentAnswer("down #because load1=99"), {
    ok: true,
    value: { advice: { health: "down", description: "because load1=99" } },
  });
  assertEquals(parseAgentAnswer("#load1=1 cores=0 cpu_pressure=7"), {
    ok: true,
    value: { advice: {}, load: { load1: 1 } },
  });
});

const word = fc.oneof(
  fc.nat(300).map((n) => ({ text: `${n}%`, said: { share: Math.min(256, n / 100) } })),
  fc.nat(100_000).map((n) => ({ text: `maxconn:${n}`, said: { maxConnections: n } })),
  fc.constantFrom("ready" as const, "drain" as const, "maint" as const)
    .map((admin) => ({ text: admin, said: { admin } })),
  fc.constantFrom("up" as const, "down" as const, "fail" as const, "stopped" as const)
    .map((health) => ({ text: health, said: { health } })),
);
const separator = fc.stringMatching(/^[ \t,]+$/).filter((text) => text !== "");

Deno.test("parseAgentAnswer(): the last word of each category counts, in any order and case", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(word, separator, fc.boolean()), { maxLength: 8 }),
      fc.option(fc.stringMatching(/^[a-z][a-z ]{0,20}[a-z]$/), { nil: undefined }),
      (words, description) => {
        const line =
          words.map(([{ text }, gap, upper]) => (upper ? text.toUpperCase() : text) + gap).join(
            "",
          ) + (description === undefined ? "" : `#${description}`);
        const expected: AgentAdvice = words.reduce(
          (advice, [{ said }]) => ({ ...advice, ...said }),
          {
            ...(description === undefined ? {} : { description }),
          },
        );
        assertEquals(adviceIn(line), expected);
      },
    ),
  );
});

Deno.test("parseAgentAnswer() never throws, and says nothing that a terminal would obey", () => {
  const anything = fc.oneof(
    fc.string({ unit: "binary", maxLength: 400 }),
    fc.array(
      fc.constantFrom("75%", "drain", "#", "load1=1", "cores=4", "%", ":", "up", " ", ",", "\x1b"),
    )
      .map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(anything, (line) => {
      const answer = parseAgentAnswer(line);
      const texts = answer.ok
        ? [answer.value.advice.description ?? "", answer.value.advice.unknown ?? ""]
        : [answer.message];
      for (const text of texts) assert(!/\p{Cc}/u.test(text) && text.length < 200, text);
      if (!answer.ok) return;
      const { share = 0, maxConnections = 0 } = answer.value.advice;
      assert(share >= 0 && share <= 256 && maxConnections >= 0);
      const { load } = answer.value;
      assert(load === undefined || (load.load1 >= 0 && Number.isFinite(load.load1)));
    }),
    { numRuns: 2000 },
  );
});
