// `compute-lb agent`: what it answers to whom, and that nobody can keep it from answering others.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseBackendSpec } from "../../lib/core/pool/backend.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { AgentSource } from "../../lib/load/agent.ts";
import { VERSION } from "../../lib/version.ts";
import { AgentProcess } from "../peers/agent_process.ts";
import { runProgram } from "../support/balancer.ts";
import { readAll } from "../support/bytes.ts";
import { Deadline } from "../support/deadline.ts";
import { waitFor, within } from "../support/wait_for.ts";

const LINE = /^\d{1,3}% (ready|drain) #load1=[0-9.]+ cores=\d+ idle=[01](\.\d+)? [^\n]*\n$/;

Deno.test("agent command: one port answers agent-check, agent-send and HTTP", async () => {
  await using agent = await AgentProcess.start();
  assertMatch(await agent.ask(), LINE);
  assertMatch(await agent.ask("backend kelvin\n"), LINE);
  assertMatch(await agent.ask("\x16\x03\x01\x02\x00\x01"), LINE);
  const answer = await agent.ask("GET / HTTP/1.0\r\n\r\n");
  assert(answer.startsWith("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"), answer);

  const response = await fetch(`http://127.0.0.1:${agent.port}/`);
  const figures: unknown = await response.json();
  assert(typeof figures === "object" && figures !== null);
  const kinds = Object.fromEntries(
    Object.entries(figures).map(([name, value]) => [name, typeof value]),
  );
  const { sessions: _, cpu_pressure: _cpu, memory_pressure: _memory, ...always } = kinds;
  assertEquals(always, {
    load1: "number",
    load5: "number",
    load15: "number",
    cores: "number",
    idle: "number",
    memory_available_bytes: "number",
    memory_total_bytes: "number",
    running: "number",
    nologin: "boolean",
    version: "string",
  });
  assert("cores" in figures && "version" in figures);
  assertEquals([figures.cores, figures.version], [navigator.hardwareConcurrency, VERSION]);
  const post = await fetch(`http://127.0.0.1:${agent.port}/`, { method: "POST", body: "x" });
  assertEquals([post.status, await post.text()], [405, ""]);
});

Deno.test("agent command: only those who are allowed get a word", async () => {
  await using open = await AgentProcess.start([], ["--allow", "192.0.2.0/24,127.0.0.0/30"]);
  assertMatch(await open.ask(), LINE);
  await using shut = await AgentProcess.start([], ["--allow", "192.0.2.0/24", "--allow", "::1"]);
  // Closed at once, by a reset if it has said something already.
  assertEquals(await shut.ask().catch(() => ""), "");
  assertEquals(await shut.ask("GET / HTTP/1.0\r\n\r\n").catch(() => ""), "");
  const { code, stderr } = await runProgram(["agent", "--allow", "192.0.2.1/24"]);
  assertEquals(code, 64);
  assertMatch(stderr, /"192\.0\.2\.1\/24" as a network: .* did you mean "192\.0\.2\.0\/24"\?/);
});

Deno.test("agent command: the load source reads what it says", async () => {
  await using agent = await AgentProcess.start();
  await using source = new AgentSource({ port: agent.port, send: "", clock: SYSTEM_CLOCK });
  const backend = parseBackendSpec("127.0.0.1:1");
  assert(backend.ok);
  using deadline = new Deadline();
  const result = await source.sample(backend.value, deadline.signal);
  assert(result.kind === "advice" && result.sample !== undefined, JSON.stringify(result));
  const { share = 0, unknown } = result.advice;
  assert(share >= 0.01 && share <= 1 && unknown === undefined, JSON.stringify(result));
  const { load1, cores, memoryTotalBytes = 0, memoryAvailableBytes = 0 } = result.sample;
  assertEquals(cores, navigator.hardwareConcurrency);
  assert(load1 >= 0 && memoryAvailableBytes > 0 && memoryTotalBytes > memoryAvailableBytes);
});

Deno.test("agent command: silent and slow clients hold nobody up, and are let go", async () => {
  await using agent = await AgentProcess.start();
  const connect = () => Deno.connect({ hostname: "127.0.0.1", port: agent.port });
  const text = new TextEncoder();
  // Each begins a request and never ends it.
  const slow = await Promise.all(Array.from({ length: 20 }, connect));
  for (const conn of slow) await conn.write(text.encode("GET / HTTP/1.1\r\nHost: "));
  assertMatch(await agent.ask(), LINE);
  // Far more at once than it serves; some are closed at once, without a word.
  const crowd = await Promise.all(Array.from({ length: 200 }, connect));
  const answers = await Promise.all(
    crowd.map((conn) => readAll(conn).then((bytes) => new TextDecoder().decode(bytes), () => "")),
  );
  for (const conn of crowd) conn.close();
  const served = answers.filter((answer) => LINE.test(answer)).length;
  assert(served >= 20 && answers.every((answer) => answer === "" || LINE.test(answer)));
  await waitFor("an answer, once the crowd has gone", async () => LINE.test(await agent.ask()));
  for (const conn of slow) {
    // At the agent's deadline they end, by a reset at worst.
    const read = conn.read(new Uint8Array(1)).catch(() => null);
    assertEquals(await within("its end", read), null);
    conn.close();
  }
  // A request without an end, as long as it likes.
  using endless = await connect();
  await endless.write(text.encode("GET /" + "x".repeat(20_000))).catch(() => 0);
  assertMatch(await agent.ask("GET / HTTP/1.1\r\n\r\n"), /^HTTP\/1\.1 200 OK\r\n/);
});

Deno.test("agent command: TERM and INT end it, HUP does not", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    await using agent = await AgentProcess.start();
    using waiting = await Deno.connect({ hostname: "127.0.0.1", port: agent.port });
    await waiting.write(new TextEncoder().encode("GET "));
    agent.child.kill("SIGHUP");
    assertMatch(await agent.ask(), LINE);
    agent.child.kill(signal);
    assertEquals((await within("its end", agent.child.status)).code, 0);
  }
});

Deno.test("agent command: an address that cannot be had is said", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { code, stderr } = await runProgram([
    "agent",
    "--listen",
    `127.0.0.1:${taken.addr.port}`,
  ]);
  assertEquals(code, 1);
  assertMatch(stderr, /^Cannot run the agent on 127\.0\.0\.1:\d+: .*in use/);
  assertEquals((await runProgram(["agent", "--listen", "9777"])).code, 64);
  assertEquals((await runProgram(["agent", "--listen", ":1", "--listen", ":2"])).code, 64);
});
