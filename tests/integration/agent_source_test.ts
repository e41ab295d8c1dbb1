// The load source "agent" against agents that say each word of HAProxy's agent-check, and against ones
// that do not behave; then the real program with such agents.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseBackendSpec } from "../../lib/core/pool/backend.ts";
import type { LoadResult } from "../../lib/core/pool/load.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { AgentSource } from "../../lib/load/agent.ts";
import { greetThenEcho, type Script, silent, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer, runProgram } from "../support/balancer.ts";
import { receive } from "../support/bytes.ts";
import { Deadline } from "../support/deadline.ts";

/** An agent that says what stands in `line` at that moment, as most are: no waiting, then a close. */
function speaking(agent: { line: string }): Script {
  return async (conn) => {
    await conn.write(new TextEncoder().encode(agent.line));
  };
}

async function ask(port: number, send = "", deadlineMs?: number): Promise<LoadResult> {
  await using source = new AgentSource({ port, send, clock: SYSTEM_CLOCK });
  const backend = parseBackendSpec("127.0.0.1:1");
  if (!backend.ok) throw new Error(backend.message);
  using deadline = new Deadline(deadlineMs);
  return await source.sample(backend.value, deadline.signal);
}

function reasonOf(result: LoadResult): string {
  return result.kind === "failed" ? result.reason : `no failure but ${JSON.stringify(result)}`;
}

Deno.test("agent: one line is read, up to its end", async () => {
  const agent = { line: "" };
  await using peer = new TcpPeer(speaking(agent));
  for (const line of ["75% ready\n", "75% ready\r\n", "75% ready\r", "75% ready\n30% down\n"]) {
    agent.line = line;
    const advice = { share: 0.75, admin: "ready" } as const;
    assertEquals([line, await ask(peer.port)], [line, { kind: "advice", advice }]);
  }
  agent.line = "50% #load1=1.25 cores=4\n";
  const result = await ask(peer.port);
  assert(result.kind === "advice" && result.sample !== undefined, JSON.stringify(result));
  assertEquals([result.sample.load1, result.sample.cores, result.sample.instant], [
    1.25,
    4,
    undefined,
  ]);
  assert(Math.abs(result.sample.takenAtMs - SYSTEM_CLOCK.now()) < 20_000);
});

Deno.test("agent: a line may come in pieces, and the connection may stay open behind it", async () => {
  await using peer = new TcpPeer(async (conn) => {
    for (const piece of ["4", "0% up", " #still", " here\n"]) {
      await conn.write(new TextEncoder().encode(piece));
      // So that they are pieces on the way, too, most of the time.
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await conn.read(new Uint8Array(1));
  });
  const advice = { share: 0.4, health: "up", description: "still here" } as const;
  assertEquals(await ask(peer.port), { kind: "advice", advice });
});

Deno.test("agent: what is to be sent reaches the agent as a line", async () => {
  await using peer = new TcpPeer(async (conn) => {
    const text = await receive(conn, "backend kelvin\n".length);
    await conn.write(new TextEncoder().encode(text === "backend kelvin\n" ? "20%\n" : "down\n"));
  });
  assertEquals(await ask(peer.port, "backend kelvin"), { kind: "advice", advice: { share: 0.2 } });
});

Deno.test("agent: whatever goes wrong has a reason that shows what came", async () => {
  const agent = { line: "" };
  await using peer = new TcpPeer(speaking(agent));
  assertEquals(reasonOf(await ask(peer.port)), "the agent closed without a word");
  agent.line = "maxconn:3";
  assertEquals(reasonOf(await ask(peer.port)), 'the agent closed within a line: "maxconn:3"');
  agent.line = "SSH-2.0-OpenSSH_9.2p1\r\n";
  assertEquals(
    reasonOf(await ask(peer.port)),
    'Cannot read "SSH-2.0-OpenSSH_9.2p1": expected words such as 75%, ready, drain, up or down',
  );
  agent.line = "x".repeat(10_000);
  assertEquals(reasonOf(await ask(peer.port)), "the agent sent no line within 4096 bytes");
  await peer[Symbol.asyncDispose]();
  assertEquals(reasonOf(await ask(peer.port)), `connection refused (127.0.0.1:${peer.port})`);
});

Deno.test("agent: one that says nothing is given up at the deadline", async () => {
  await using peer = new TcpPeer(silent);
  assertEquals(reasonOf(await ask(peer.port, "", 200)), "no answer within 200ms");
});

interface Site extends AsyncDisposable {
  readonly agents: readonly { line: string }[];
  readonly config: string;
  readonly servers: readonly TcpPeer[];
}

/** Two servers, each with an agent. */
function twoServers(strategy: string, health: string, lines: readonly string[]): Site {
  const agents = lines.map((line) => ({ line }));
  const answerers = agents.map((agent) => new TcpPeer(speaking(agent)));
  const servers = agents.map((_, index) => new TcpPeer(greetThenEcho(String(index))));
  const config = JSON.stringify({
    frontends: { f: { listen: "127.0.0.1:0" } },
    pools: {
      p: {
        strategy,
        backends: servers.map(({ address }, index) => ({
          address,
          cores: 8,
          max_connections: 20,
          load_address: answerers[index]?.address,
        })),
        load: { source: "agent", interval: "100ms", timeout: "100ms" },
        health: { probe: health, interval: "100ms", timeout: "100ms", rise: 1, fall: 1 },
      },
    },
  });
  return {
    agents,
    config,
    servers,
    [Symbol.asyncDispose]: async () => {
      for (const peer of [...answerers, ...servers]) await peer[Symbol.asyncDispose]();
    },
  };
}

async function landing(port: number): Promise<string> {
  using client = await Deno.connect({ hostname: "127.0.0.1", port });
  return await receive(client, 1);
}

Deno.test("agent: the program heeds its words, and sessions that stand go on", async () => {
  await using site = twoServers("round_robin", "tcp", ["100% up ready\n", "100% up ready\n"]);
  await using balancer = await Balancer.start({ config: site.config });
  const [first = { line: "" }] = site.agents;
  const port = await balancer.port("f");
  const state = (text: string) =>
    balancer.until(text, ({ pools }) => pools[0]?.backends[0]?.agent === text);
  await state("100%, ready, up");
  let held: Deno.Conn | undefined;
  for (let i = 0; i < 4 && held === undefined; i++) {
    const client = await Deno.connect({ hostname: "127.0.0.1", port });
    if (await receive(client, 1) === "0") held = client;
    else client.close();
  }
  assert(held !== undefined);
  using session = held;
  const cases: readonly [line: string, said: string, reason: string, back: string][] = [
    ["drain\n", "drain", "its agent says drain", "ready\n"],
    ["maint # update\n", "maint (update)", "its agent says maint (update)", "ready\n"],
    ["down #disk full\n", "down (disk full)", "its agent says down (disk full)", "up\n"],
    ["fail\n", "fail", "its agent says fail", "up\n"],
    ["stopped\n", "stopped", "its agent says stopped", "up\n"],
    ["0%\n", "0%", "its agent says 0%", "100%\n"],
  ];
  for (const [line, said, reason, back] of cases) {
    first.line = line;
    const report = await state(said);
    const backend = report.pools[0]?.backends[0];
    assertEquals([backend?.usable, backend?.reason, backend?.state], [false, reason, "up"]);
    for (let i = 0; i < 3; i++) assertEquals(await landing(port), "1");
    await session.write(new TextEncoder().encode(said));
    assertEquals(await receive(session, said.length), said);
    first.line = back;
    await balancer.until("its return", ({ pools }) => pools[0]?.backends[0]?.usable === true);
  }
  await balancer.logged("is held back: its agent says down (disk full)");
  await balancer.logged("is no longer held back: its agent says up");
  first.line = "50% maxconn:3\n";
  await state("50%, maxconn 3");
  const limited = await balancer.status();
  assertEquals(limited.pools[0]?.backends.map((one) => [one.weight, one.maxConnections]), [
    [0.5, 3],
    [1, 20],
  ]);
  await balancer.logged("takes at most 3 sessions");
  const without = site.config.replace('"source":"agent"', '"source":"none"');
  assertEquals((await balancer.reload(without)).event, "reloaded");
  const forgotten = await balancer.until(
    "all to be forgotten",
    ({ pools }) => pools[0]?.backends[0]?.agent === null,
  );
  assertEquals(forgotten.pools[0]?.backends.map((one) => [one.weight, one.maxConnections]), [
    [1, 20],
    [1, 20],
  ]);
});

Deno.test("agent: a percentage alone is idle CPU to least_load", async () => {
  await using site = twoServers("least_load", "tcp", ["25%\n", "75%\n"]);
  await using balancer = await Balancer.start({ config: site.config });
  const report = await balancer.until(
    "both loads",
    ({ pools }) =>
      pools[0]?.strategyInUse === "least_load" &&
      pools[0].backends.every(({ free }) => free !== null),
  );
  const [idle, busy] = [report.pools[0]?.backends[1], report.pools[0]?.backends[0]];
  assertEquals([busy?.load1, idle?.load1], [6, 2]);
  assertEquals([busy?.free, idle?.free], [2, 6]);
  assertEquals(await landing(await balancer.port("f")), "1");
});

Deno.test("agent: check --probe shows what it says", async () => {
  await using site = twoServers("least_load", "none", [
    "87% ready #load1=1.04 cores=4\n",
    "drain #kernel update\n",
  ]);
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/lb.conf`, site.config);
    const { code, stdout } = await runProgram(["check", "-c", `${folder}/lb.conf`, "--probe"]);
    assertEquals(code, 1);
    assertMatch(
      stdout,
      /ok {3}127.0.0.1:\d+: its agent says 87%, ready; load 1.04 of 8 cores, 6.96 free\n/,
    );
    assertMatch(stdout, /FAIL 127.0.0.1:\d+: its agent says drain \(kernel update\)\n/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
