// 1,000 clients that asked the admin socket for 1,024 decisions and took no answer raised the balancer's
// memory from 141 to 1,260 MB, which it kept: there was a whole answer for each. 64 slow clients of the
// agent kept all others out for three seconds.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { listenAt } from "../../lib/admin/listen.ts";
import { AdminServer } from "../../lib/admin/server.ts";
import type { DecisionReport } from "../../lib/admin/why_report.ts";
import { Answerer } from "../../lib/agent/server.ts";
import { ServedClients } from "../../lib/core/serving/served_clients.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { readAll } from "../support/bytes.ts";
import { ManualClock, settled } from "../support/manual_clock.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { waitFor } from "../support/wait_for.ts";
import { NO_REPORTS } from "../support/no_reports.ts";

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
  // Their time never comes: they give way, or keep their places.
  const path = `${folder.path}/socket`;
  const clock = new ManualClock();
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
    // Their own time is not over before the test's is.
    const clock = {
      now: () => SYSTEM_CLOCK.now(),
      wall: () => SYSTEM_CLOCK.wall(),
      sleep: (ms: number, signal: AbortSignal) =>
        ms < 3000 ? SYSTEM_CLOCK.sleep(ms, signal) : new ManualClock().sleep(ms, signal),
    };
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    await using _answerer = new Answerer(listener, {
      clock,
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

Deno.test("whoever has its answer, and then whoever has waited longest, gives way", async () => {
  const closed: string[] = [];
  class Conn {
    readonly asked = Promise.withResolvers<"progressed" | "answered">();
    readonly end = Promise.withResolvers<void>();
    constructor(readonly name: string) {}
    close() {
      if (!closed.includes(this.name)) closed.push(this.name);
      this.end.resolve();
    }
  }
  const clock = new ManualClock();
  const clients = new ServedClients<Conn>({
    clock,
    most: 3,
    limitMs: 1000,
    serve: async (conn, conversation) => {
      const what = await conn.asked.promise;
      conversation[what]();
      await conn.end.promise;
    },
  });
  const [a, b, c, d, e, f] = [..."abcdef"].map((name) => new Conn(name));
  assert(a && b && c && d && e && f);
  for (const conn of [a, b, c]) clients.admit(conn);
  a.asked.resolve("progressed");
  c.asked.resolve("answered");
  await settled();
  clients.admit(d);
  assertEquals(closed, ["c"]);
  clients.admit(e);
  assertEquals(closed, ["c", "b"]);
  clients.admit(f);
  assertEquals(closed, ["c", "b", "a"]);
  await clock.advance(1000);
  assertEquals(closed, ["c", "b", "a", "d", "e", "f"]);
  for (const conn of [a, b, c, d, e, f]) conn.asked.resolve("progressed");
  await clients[Symbol.asyncDispose]();
});
