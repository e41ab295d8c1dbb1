import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatJson, formatLine } from "../../../lib/agent/answer.ts";
import type { Figures } from "../../../lib/agent/figures.ts";
import { answerTo, readFirstBytes } from "../../../lib/agent/http_request.ts";
import { formatAnswer } from "../../../lib/core/serving/http.ts";
import { parseAgentAnswer } from "../../../lib/load/agent_answer.ts";

const ALL: Figures = {
  load1: 1.04,
  load5: 2,
  load15: 3.5,
  running: 4,
  cores: 8,
  idle: 0.8734,
  memoryAvailableBytes: 7516192768,
  memoryTotalBytes: 16000000000,
  cpuPressure: 0.0123,
  memoryPressure: 0,
  sessions: 3,
  nologin: false,
};
const FEW: Figures = {
  load1: 0,
  load5: 0,
  load15: 0,
  running: 1,
  cores: 1,
  idle: 0,
  nologin: true,
};

Deno.test("formatLine() says percentage and state to HAProxy, figures behind the sharp", () => {
  assertEquals(
    formatLine(ALL),
    "87% ready #load1=1.04 cores=8 idle=0.873 memory_available_bytes=7516192768 " +
      "memory_total_bytes=16000000000 cpu_pressure=0.0123 memory_pressure=0 sessions=3\n",
  );
  // Busy is not out: 0% would take the server out of HAProxy's farm.
  assertEquals(formatLine(FEW), "1% drain #load1=0 cores=1 idle=0 nologin\n");
});

Deno.test("formatJson() has the names of the wire, and leaves out what is not known", () => {
  assertEquals(JSON.parse(formatJson(ALL, "1.2.3")), {
    load1: 1.04,
    load5: 2,
    load15: 3.5,
    cores: 8,
    idle: 0.873,
    memory_available_bytes: 7516192768,
    memory_total_bytes: 16000000000,
    cpu_pressure: 0.0123,
    memory_pressure: 0,
    sessions: 3,
    running: 4,
    nologin: false,
    version: "1.2.3",
  });
  assertEquals(
    Object.keys(JSON.parse(formatJson(FEW, "1"))).join(),
    "load1,load5,load15,cores,idle,running,nologin,version",
  );
});

Deno.test("the load source reads from the line what the agent put in", () => {
  const share = fc.nat(10_000).map((n) => n / 10_000);
  const bytes = fc.nat(2 ** 31).map((n) => n * 4096);
  const figures: fc.Arbitrary<Figures> = fc.record({
    load1: fc.nat(1_000_000).map((n) => n / 100),
    load5: fc.constant(0),
    load15: fc.constant(0),
    running: fc.constant(1),
    cores: fc.integer({ min: 1, max: 8192 }),
    idle: fc.double({ min: 0, max: 1, noNaN: true }),
    memoryAvailableBytes: bytes,
    memoryTotalBytes: bytes,
    cpuPressure: share,
    memoryPressure: share,
    sessions: fc.nat(5000),
    nologin: fc.boolean(),
  }, { requiredKeys: ["load1", "load5", "load15", "running", "cores", "idle", "nologin"] });
  fc.assert(
    fc.property(figures, (known) => {
      const answer = parseAgentAnswer(formatLine(known).trimEnd());
      assert(answer.ok);
      const { advice, load } = answer.value;
      const { load5: _5, load15: _15, running: _, idle, nologin, sessions, ...rest } = known;
      assertEquals(advice, {
        share: Math.max(1, Math.round(idle * 100)) / 100,
        admin: nologin ? "drain" : "ready",
        ...(nologin ? { description: "nologin" } : {}),
      });
      assertEquals(load, {
        ...rest,
        ...(sessions === undefined ? {} : { loginSessions: sessions }),
      });
    }),
  );
});

Deno.test("readFirstBytes() waits for the whole of a request, and takes all else for a line", () => {
  const request = "GET / HTTP/1.1\r\nHost: kelvin:9777\r\n\r\n";
  for (let length = 1; length < request.length; length++) {
    const kind = readFirstBytes(request.slice(0, length)).kind;
    assertEquals([length, kind], [length, "incomplete"]);
  }
  assertEquals(readFirstBytes(`${request}body`), {
    kind: "request",
    method: "GET",
    target: "/",
    fields: new Map([["host", "kelvin:9777"]]),
    flaw: undefined,
    length: request.length,
  });
  assertEquals(readFirstBytes("HEAD /x HTTP/1.0\n\n"), {
    kind: "request",
    method: "HEAD",
    target: "/x",
    fields: new Map(),
    flaw: undefined,
    length: 18,
  });
  for (
    const text of ["GET\n", "get / HTTP/1.1\r\n\r\n", "backend kelvin\n", "\n", "\x16\x03\x01"]
  ) {
    assertEquals(readFirstBytes(text), { kind: "line" });
  }
  for (const text of ["GET /\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "GET / x HTTP/1.1\r\n\r\n"]) {
    const first = readFirstBytes(text);
    assertEquals([text, first.kind, "target" in first && first.target], [
      text,
      "request",
      undefined,
    ]);
  }
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1 }), (text) => {
      assert(["request", "incomplete", "line"].includes(readFirstBytes(text).kind));
    }),
  );
});

Deno.test("answerTo() tells what was wrong", () => {
  const start = (method: string, target: string | undefined = "/") =>
    [...formatAnswer(answerTo({ method, target }, '{"load1":1}\n'), method)].join("");
  assertEquals(
    start("GET"),
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n" +
      'Content-Length: 12\r\nConnection: close\r\n\r\n{"load1":1}\n',
  );
  assertEquals(start("HEAD"), start("GET").replace('{"load1":1}\n', ""));
  assert(start("POST").startsWith("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\n"));
  const broken = answerTo({ method: "GET", target: undefined }, "");
  assertEquals([broken.status, broken.body], [400, ""]);
});
