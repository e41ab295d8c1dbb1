// `compute-lb gen` against nanomsg's own program, and with proxies and lists as a site has them.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseEndpoint } from "../../lib/sp/endpoint.ts";
import { runProgram } from "../support/balancer.ts";
import { HeardProgram } from "../support/heard_program.ts";
import { Generator } from "../support/generator.ts";
import { peerProgram, requirePeer } from "../support/require_peer.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { TestProxy } from "../support/sp_peers.ts";
import { waitFor } from "../support/wait_for.ts";
import { freePort } from "../support/processes.ts";

function nanocat(...args: readonly string[]): HeardProgram {
  return new HeardProgram([peerProgram("nanocat"), ...args]);
}

/** The first lines that nanocat prints of what it pulls. */
async function pulled(endpoint: string, count: number): Promise<string[]> {
  await using puller = nanocat("--pull", "--connect", endpoint, "--ascii");
  const lines = () => puller.stdout.split("\n").slice(0, -1);
  await waitFor(`${count} lines of ${endpoint}`, () => lines().length >= count);
  return lines().slice(0, count);
}

Deno.test({
  ...requirePeer("nanocat"),
  name: "gen: lbtk's README, read by nanocat over tcp and ipc, goes on after the end of its lists",
  fn: async () => {
    await using folder = new TemporaryDirectory();
    const ipc = `ipc://${folder.path}/gen`;
    await using gen = await Generator.start([], ["tcp://127.0.0.1:0", ipc]);
    await gen.write("A\nB\n");
    await gen.endInput();
    await gen.said("the last list goes on");
    const [tcp = ""] = gen.endpoints;
    const first = await pulled(tcp, 6);
    assertEquals(first, ["B", "A", "B", "A", "B", "A"]);
    const next = await pulled(ipc, 5);
    assertMatch(next.join(""), /^(AB){2}A$|^(BA){2}B$/);
    gen.signal("SIGTERM");
    assertEquals(await gen.ended(), 0);
  },
});

Deno.test({
  ...requirePeer("nanocat"),
  name: "gen: a puller takes what nanocat pushes, over tcp and ipc, and dials until it is there",
  fn: async () => {
    await using folder = new TemporaryDirectory();
    for (const endpoint of [`tcp://127.0.0.1:${freePort()}`, `ipc://${folder.path}/push`]) {
      const address = parseEndpoint(endpoint, "dial");
      assert(address.ok);
      await using proxy = new TestProxy(address.value);
      proxy.puller.want(3);
      await waitFor("a refusal", () => proxy.states.length === 1);
      await using _pusher = nanocat(
        ...["--push", "--bind", endpoint, "--data", "10.0.0.1:22", "-i", "0.05"],
      );
      await waitFor("three tokens", () => proxy.tokens.length === 3);
      assertEquals(proxy.tokens, Array(3).fill("10.0.0.1:22"));
      assertEquals(proxy.states.at(-1), "connected");
      // What it says is nothing to nanomsg.
      for (let i = 0; i < 100; i++) proxy.end("10.0.0.1:22");
      await proxy.take(3);
    }
  },
});

Deno.test("gen: after a new list, a proxy of ours gets at most 16 tokens of the old one", async () => {
  await using gen = await Generator.start([]);
  await gen.list("old:1", "old:2");
  await using proxy = new TestProxy(gen.address);
  // As a proxy does: 16 are ahead, and each that is used is asked for anew.
  await proxy.take(16);
  await gen.list("new:1", "new:2", "new:3");
  await gen.said("new list: 3 items");
  const later: string[] = [];
  for (let i = 0; i < 40; i++) later.push(...await proxy.take(1));
  assertEquals(later.filter((token) => token.startsWith("old")), []);
  // Of nothing, nothing is handed out; and then again.
  await gen.list();
  await gen.said("nothing is handed out");
  proxy.puller.want(5);
  const before = proxy.tokens.length;
  await gen.list("last:1");
  await waitFor("tokens", () => proxy.tokens.length === before + 5);
  assertEquals(proxy.tokens.slice(-5), Array(5).fill("last:1"));
});

Deno.test("gen: three proxies use every token once, also while they come and go", async () => {
  await using gen = await Generator.start([]);
  const items = Array.from({ length: 3000 }, (_, at) => `n${at}:1`);
  await gen.list(...items);
  const tokens: string[] = [];
  {
    await using a = new TestProxy(gen.address);
    await using b = new TestProxy(gen.address);
    await using c = new TestProxy(gen.address);
    const proxies = [a, b, c];
    await Promise.all(proxies.map(async (proxy) => {
      for (let i = 0; i < 50; i++) await proxy.take(16);
    }));
    tokens.push(...proxies.flatMap((proxy) => proxy.tokens));
  }
  assertEquals(tokens.length, 2400);
  assertEquals(new Set(tokens).size, 2400);
});

Deno.test("gen: places by a load source, and follows it; ends and lost proxies give places back", async () => {
  await using folder = new TemporaryDirectory();
  using backend = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = backend.addr;
  const load = async (a: string, b: string) => {
    await Deno.writeTextFile(`${folder.path}/127.0.0.1`, a);
    await Deno.writeTextFile(`${folder.path}/127.0.0.2`, b);
  };
  await load("0 8", "0 8");
  const config = `${folder.path}/lb.conf`;
  await Deno.writeTextFile(
    config,
    JSON.stringify({
      frontends: { f: { listen: "127.0.0.1:1" } },
      pools: {
        p: {
          strategy: "least_load",
          health: { probe: "none" },
          pace: { sessions: "off" },
          load: {
            source: "exec",
            interval: "200ms",
            exec: { command: ["/bin/cat", `${folder.path}/{host}`] },
          },
          backends: ["127.0.0.9:9"],
        },
      },
    }),
  );
  const [a, b] = [`127.0.0.1:${port}`, `127.0.0.2:${port}`];
  await using gen = await Generator.start(["--config", config, "--log-level", "debug"]);
  await gen.list(`${a} max_connections=40`, `${b} max_connections=40`);
  await using proxy = new TestProxy(gen.address);
  const share = async () => {
    const tokens: string[] = [];
    for (let i = 0; i < 8; i++) {
      const [token = ""] = await proxy.take(1);
      // One session at a time: what it is thought to cost decides nothing.
      proxy.end(token);
      tokens.push(token);
    }
    return tokens.filter((token) => token === a).length;
  };
  await load("7.5 8", "0 8");
  await waitFor("all on the second", async () => await share() === 0);
  await load("0 8", "7.5 8");
  await waitFor("all on the first", async () => await share() === 8);
  // 80 places in all: no more sessions than that, whoever has them.
  await using other = new TestProxy(gen.address);
  await proxy.take(50);
  await other.take(30);
  const held = new Map<string, number>();
  for (const token of [...proxy.tokens.slice(-50), ...other.tokens]) {
    held.set(token, (held.get(token) ?? 0) + 1);
  }
  assertEquals(held, new Map([[a, 40], [b, 40]]));
  other.puller.want(50);
  const [ended = ""] = proxy.tokens.slice(-1);
  proxy.end(ended);
  await waitFor("its place", () => other.tokens.length === 31);
  assertEquals(other.tokens.at(-1), ended);
  await proxy[Symbol.asyncDispose]();
  await waitFor("the places of the one that is gone", () => other.tokens.length === 80);
});

Deno.test("gen: what cannot be done ends it, and says why", async () => {
  await using folder = new TemporaryDirectory();
  const none = await runProgram(["gen"]);
  assertEquals(none.code, 64);
  assertMatch(none.stderr, /^Missing arguments: at least one endpoint to bind to\n/);
  const bad = await runProgram(["gen", "127.0.0.1:1024"], "A\n\n");
  assertEquals(bad.code, 64);
  assertMatch(bad.stderr, /^Cannot read "127.0.0.1:1024" as an endpoint: expected "tcp:/);
  const endpoint = `ipc://${folder.path}/gen`;
  const empty = await runProgram(["gen", endpoint], "");
  assertEquals(empty.code, 1);
  assertMatch(empty.stderr, /there is nothing to hand out: no list has come, and stdin has ended/);
  await using gen = await Generator.start(["-rand"], [endpoint]);
  const second = await runProgram(["gen", endpoint], "A\n\n");
  assertEquals(second.code, 1);
  assertMatch(second.stderr, /another process listens there/);
  // The one that listens is none the worse, and what it leaves behind is taken over.
  await gen.list("A");
  await using proxy = new TestProxy(gen.address);
  assertEquals(await proxy.take(2), ["A", "A"]);
  gen.signal("SIGKILL");
  await gen.ended();
  await using successor = await Generator.start([], [endpoint]);
  await successor.list("B");
  await proxy.take(1);
  assertEquals(proxy.tokens.at(-1), "B");
});
