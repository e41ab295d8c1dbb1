// 1,000 clients that asked the admin socket for 1,024 decisions and took no answer raised the balancer's
// memory from 141 to 1,260 MB, which it kept: there was a whole answer for each. 64 slow clients of the
// agent kept all others out for three seconds.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { listenAt } from "../../lib/admin/listen.ts";
import { AdminServer } from "../../lib/admin/server.ts";
import type { DecisionReport } from "../../lib/admin/why_report.ts";
import { Answerer } from "../../lib/agent/server.ts";
import { PATIENCE_MS, ServedClients } from "../../lib/core/serving/served_clients.ts";
import type { Clock } from "../../lib/core/timing/clock.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { readAll } from "../support/bytes.ts";
import { ManualClock, settled } from "../support/manual_clock.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { waitFor } from "../support/wait_for.ts";
import { NO_REPORTS } from "../support/no_reports.ts";

/** By which no client's own time is over before the test's is: it gives way, or keeps its place. */
const UNHURRIED: Clock = {
  now: () => SYSTEM_CLOCK.now(),
  wall: () => SYSTEM_CLOCK.wall(),
  sleep: (ms, signal) =>
    ms < 3000 ? SYSTEM_CLOCK.sleep(ms, signal) : new ManualClock().sleep(ms, signal),
};

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Clients that have sent something and read nothing. */
class SlowClients implements AsyncDisposable {
  readonly conns: Deno.Conn[] = [];

  static async open(count: number, connect: () => Promise<Deno.Conn>, sent: string) {
    const slow = new SlowClients();
    for (let i = 0; i < count; i++) {
      const conn = await connect();
      slow.conns.push(conn);
      await conn.write(encoder.encode(sent));
    }
    return slow;
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const conn of this.conns) conn.close();
    return Promise.resolve();
  }
}

async function answerTo(conn: Deno.Conn, sent: string): Promise<string> {
  try {
    if (sent !== "") await conn.write(encoder.encode(sent));
    return decoder.decode(await readAll(conn));
  } finally {
    conn.close();
  }
}

const DECISION: DecisionReport = {
  at: "",
  tunnel: 1,
  frontend: "f".repeat(2000),
  pool: "p",
  client: "c",
  backend: "b",
  refused: null,
  queueMs: 0,
  picks: [],
};

Deno.test("the admin socket makes of an answer what is taken, for few clients at a time", async () => {
  await using folder = new TemporaryDirectory();
  /** For each client in turn. */
  const made: number[] = [];
  function* decisions() {
    const client = made.push(0) - 1;
    for (let i = 1; i <= 1024; i++) {
      made[client] = i;
      yield DECISION;
    }
  }
  const handlers = {
    ...NO_REPORTS,
    why: () => ({ version: "v", now: "n", decisions: decisions() }),
  };
  const path = `${folder.path}/socket`;
  const clock = UNHURRIED;
  await using _server = new AdminServer(await listenAt(path, clock), clock, handlers);
  const connect = () => Deno.connect({ transport: "unix", path });
  const request = "GET /v1/why?last=1024 HTTP/1.1\r\nHost: x\r\n\r\n";
  await using _slow = await SlowClients.open(100, connect, request);
  await waitFor("all to be asked", () => made.length === 100 && made.every((count) => count > 0));

  const answer = await answerTo(await connect(), request);
  assertEquals(made[100], 1024);
  // As much as fits into the socket's buffer and one piece, of two megabytes.
  const most = Math.max(...made.slice(0, 100));
  assert(most < 400, `${most} decisions for a client that takes none`);
  const body: unknown = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n")));
  assertEquals(body, { version: "v", now: "n", decisions: Array(1024).fill(DECISION) });
});

for (
  const [what, sent] of [["say nothing", ""], ["begin a request", "GET / HT"]] as const
) {
  Deno.test(`slow clients of the agent that ${what} keep nobody out`, async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    await using _answerer = new Answerer(listener, {
      clock: UNHURRIED,
      line: () => Promise.resolve("up 50%\n"),
      json: () => Promise.resolve("{}"),
      admits: () => true,
      onFailure: () => {},
    });
    const { port } = listener.addr;
    const connect = () => Deno.connect({ hostname: "127.0.0.1", port });
    await using _slow = await SlowClients.open(200, connect, sent);
    const answers = await Promise.all(
      Array.from(
        { length: 35 },
        async (_, i) =>
          i % 2 === 0
            ? await answerTo(await connect(), "")
            : await answerTo(await connect(), "GET / HTTP/1.1\r\n\r\n"),
      ),
    );
    for (const [i, answer] of answers.entries()) {
      assertStringIncludes(answer, i % 2 === 0 ? "up 50%" : "HTTP/1.1 200 OK");
    }
  });
}

Deno.test("whoever has its answer gives way, then who is silent, then who has asked", async () => {
  const closed: string[] = [];
  const served: string[] = [];
  class Conn {
    readonly says = Promise.withResolvers<"asked" | "answered">();
    readonly end = Promise.withResolvers<void>();
    constructor(readonly name: string) {}
    close() {
      if (!closed.includes(this.name)) closed.push(this.name);
      this.end.resolve();
    }
  }
  const clock = new ManualClock();
  const limitMs = 1000;
  const clients = new ServedClients<Conn>({
    clock,
    most: 3,
    limitMs,
    serve: async (conn, conversation) => {
      served.push(conn.name);
      conversation[await conn.says.promise]();
      await conn.end.promise;
    },
  });
  const [a, b, c, d, e, f] = [..."abcdef"].map((name) => new Conn(name));
  assert(a && b && c && d && e && f);
  for (const conn of [a, b, c]) await clients.admit(conn);
  a.says.resolve("asked");
  c.says.resolve("answered");
  await settled();
  await clients.admit(d);
  assertEquals(closed, ["c"]);
  // Nobody gives way who has just come, or whose answer is being made.
  const admitted = clients.admit(e);
  await clock.advance(PATIENCE_MS - 1);
  assertEquals(closed, ["c"]);
  await clock.advance(1);
  await admitted;
  assertEquals(closed, ["c", "b"]);
  // Whoever leaves makes room at once.
  const next = clients.admit(f);
  d.end.resolve();
  d.says.resolve("asked");
  await next;
  assertEquals(closed, ["c", "b", "d"]);
  assertEquals(served, [..."abcdef"]);
  const late = clients.admit(new Conn("g"));
  for (const conn of [a, b, c, e, f]) conn.says.resolve("asked");
  await clients[Symbol.asyncDispose]();
  await late;
  assertEquals(served, [..."abcdef"]);
  assertEquals(closed, [..."cbdaefg"]);
});
