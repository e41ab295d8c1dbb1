// Pools that are fed, as the real program: towards generators of ours, of the test, and nanomsg's.

import { assert, assertEquals } from "@std/assert";
import type { FeedReport } from "../../lib/admin/report.ts";
import { MOST_TOKENS } from "../../lib/core/pick/pick_table.ts";
import { formatEndpoint } from "../../lib/sp/endpoint.ts";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer, runProgram } from "../support/balancer.ts";
import { readAll, receive } from "../support/bytes.ts";
import { Generator } from "../support/generator.ts";
import { freePort } from "../support/processes.ts";
import { peerProgram, requirePeer } from "../support/require_peer.ts";
import { HeardProgram } from "../support/heard_program.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { TokenFeed } from "../support/token_feed.ts";
import { waitFor } from "../support/wait_for.ts";

function proxy(feeds: readonly string[], ...flags: readonly string[]): Promise<Balancer> {
  return Balancer.start({ command: ["proxy", "127.0.0.1:0", ...feeds], flags });
}

async function feedOf(balancer: Balancer): Promise<FeedReport> {
  const { pools } = await balancer.status();
  const feed = pools[0]?.feed;
  assert(feed, balancer.describe());
  return feed;
}

/** Waits until so many tokens wait for clients. */
function ready(balancer: Balancer, count = 2) {
  return waitFor(
    `${count} tokens`,
    async () => (await feedOf(balancer)).waiting >= count,
  );
}

/** Connects and reads the one letter that a backend greets with. */
async function greeting(port: number): Promise<string> {
  using client = await Deno.connect({ hostname: "127.0.0.1", port });
  return await receive(client, 1);
}

Deno.test("three proxies on one generator use every item once", async () => {
  const items = 600;
  const clients = 450;
  const hosts: string[] = [];
  const note = (conn: Deno.Conn) => {
    const { localAddr } = conn;
    if (localAddr.transport === "tcp") hosts.push(localAddr.hostname);
    return Promise.resolve();
  };
  await using peer = new TcpPeer(note, { hostname: "0.0.0.0" });
  const list = Array.from({ length: items }, (_, at) => `127.7.${at >> 8}.${at & 255}`);
  await using gen = await Generator.start([]);
  await gen.list(...list.map((host) => `${host}:${peer.port}`));
  const feeds = [formatEndpoint(gen.address)];
  await using a = await proxy(feeds);
  await using b = await proxy(feeds, "--engine", "portable");
  await using c = await proxy(feeds);
  const ports = await Promise.all([a, b, c].map((one) => one.port("main")));
  for (let at = 0; at < clients; at += 30) {
    await Promise.all(Array.from({ length: 30 }, async (_, i) => {
      using client = await Deno.connect({ hostname: "127.0.0.1", port: ports[i % 3] ?? 0 });
      await readAll(client);
    }));
  }
  assertEquals([hosts.length, new Set(hosts).size], [clients, clients]);
  assert(hosts.every((host) => list.includes(host)));
});

Deno.test({
  ...requirePeer("nanocat"),
  name: "tokens of nanomsg's own program come over tcp and ipc",
  fn: async () => {
    await using folder = new TemporaryDirectory();
    await using peer = new TcpPeer(greetThenEcho("a"));
    for (const endpoint of [`tcp://127.0.0.1:${freePort()}`, `ipc://${folder.path}/gen`]) {
      const args = ["--push", "--bind", endpoint, "--data", peer.address, "-i", "0.02"];
      await using _nanocat = new HeardProgram([peerProgram("nanocat"), ...args]);
      await using balancer = await proxy([endpoint]);
      const port = await balancer.port("main");
      for (let i = 0; i < 20; i++) assertEquals(await greeting(port), "a");
    }
  },
});

for (const engine of ["splice", "portable"]) {
  Deno.test(`a feed dies and returns: clients wait, are turned away, then served (${engine})`, async () => {
    await using peer = new TcpPeer(greetThenEcho("a"));
    const port = freePort();
    await using balancer = await Balancer.start({
      config: JSON.stringify({
        frontends: { f: { listen: "127.0.0.1:0", refusal_text: "sorry" } },
        pools: { p: { feed: `tcp://127.0.0.1:${port}`, queue: { timeout: "1s" } } },
      }),
      flags: ["--engine", engine],
    });
    const front = await balancer.port("f");
    const connect = () => Deno.connect({ hostname: "127.0.0.1", port: front });
    using standing = new DisposableStack();
    {
      await using _feed = Object.assign(new TokenFeed(port), { always: peer.address });
      await ready(balancer);
      for (let i = 0; i < MOST_TOKENS; i++) {
        const client = standing.use(await connect());
        assertEquals(await receive(client, 1), "a");
      }
      await ready(balancer);
    }
    // What was pulled before is good still.
    let before = 0;
    for (; (await feedOf(balancer)).waiting > 0; before++) {
      assertEquals(await greeting(front), "a");
    }
    assert(before >= 2 && before <= MOST_TOKENS, String(before));
    using late = await connect();
    assertEquals(new TextDecoder().decode(await readAll(late)), "sorry\r\n");
    const feed = await feedOf(balancer);
    assertEquals([feed.waiting, feed.starved, feed.sources[0]?.connected], [0, 1, false]);
    assertEquals([feed.used, feed.bad], [MOST_TOKENS + before, 0]);
    const why = await balancer.logged("no token of the pool's feed");
    assertEquals(why.reason, "starved");
    await using again = new TokenFeed(port);
    again.always = peer.address;
    await waitFor("the feed to be back", () => again.isPulled);
    // It hears at once what stands by its tokens.
    assertEquals(again.words, [`have ${peer.address} ${MOST_TOKENS}`]);
    assertEquals(await greeting(front), "a");
    await balancer.until(
      "the last client to be gone",
      ({ pools }) => pools[0]?.backends[0]?.active === MOST_TOKENS,
    );
    standing.dispose();
    await waitFor("their ends", () => again.words.length >= MOST_TOKENS + 2);
  });
}

Deno.test("of a list that has changed, no more than 16 tokens are left", async () => {
  await using old = new TcpPeer(greetThenEcho("o"));
  await using fresh = new TcpPeer(greetThenEcho("n"));
  await using gen = await Generator.start([]);
  await gen.list(old.address);
  await using balancer = await proxy([formatEndpoint(gen.address)]);
  const port = await balancer.port("main");
  await ready(balancer);
  await gen.list(fresh.address);
  await waitFor("the new list", () => gen.stderr.match(/new list/g)?.length === 2);
  let greeted = "";
  for (let i = 0; i < 60; i++) greeted += await greeting(port);
  assertEquals(greeted.replace(/^o{0,16}/, "").replace(/^n+$/, ""), "");
});

Deno.test("orders and reloads: a drained backend's tokens are passed over, sessions and feeds stay", async () => {
  await using a = new TcpPeer(greetThenEcho("a"));
  await using b = new TcpPeer(greetThenEcho("b"));
  await using feed = new TokenFeed();
  await using other = new TokenFeed();
  other.always = b.address;
  const config = (of: TokenFeed, interval: string) =>
    JSON.stringify({
      frontends: { f: { listen: "127.0.0.1:0" } },
      pools: { p: { feed: [formatEndpoint(of.endpoint)], health: { interval } } },
    });
  await using balancer = await Balancer.start({ config: config(feed, "5s") });
  const port = await balancer.port("f");
  feed.send(a.address, b.address);
  await ready(balancer, 2);
  assertEquals(await greeting(port) + await greeting(port), "ab");
  using session = await Deno.connect({ hostname: "127.0.0.1", port });
  feed.send(a.address);
  assertEquals(await receive(session, 1), "a");
  const drained = await runProgram(["drain", a.address, "--admin-socket", balancer.adminSocket]);
  assertEquals(drained.code, 0, drained.stderr);
  feed.send(a.address, a.address, b.address);
  assertEquals(await greeting(port), "b");
  await waitFor("ends", () => feed.words.filter((word) => word === `end ${a.address}`).length >= 3);
  assertEquals((await feedOf(balancer)).discarded, 2);
  // A reload that leaves the feed as it is leaves its connection and its tokens.
  feed.send(b.address);
  await ready(balancer, 1);
  assertEquals((await balancer.reload(config(feed, "6s"))).event, "reloaded");
  const { sources, waiting } = await feedOf(balancer);
  assertEquals([sources[0]?.connected, sources[0]?.received, waiting], [true, 7, 1]);
  // Another one takes its place; what stands goes on, and is drained still.
  assertEquals((await balancer.reload(config(other, "6s"))).event, "reloaded");
  await waitFor("the old feed to be left", () => !feed.isPulled);
  assertEquals(await greeting(port), "b");
  await session.write(new TextEncoder().encode("x"));
  assertEquals(await receive(session, 1), "x");
  const backends = (await balancer.status()).pools[0]?.backends ?? [];
  assertEquals(backends.find(({ id }) => id === a.address)?.admin, "draining");
});

Deno.test("check --probe tells which feeds can be pulled from, and takes no token", async () => {
  await using feed = new TokenFeed();
  feed.send("127.0.0.1:22");
  const dead = `tcp://127.0.0.1:${freePort()}`;
  const { code, stdout } = await runProgram([
    "check",
    "--probe",
    ...["--listen", "127.0.0.1:0", "--feed", `${formatEndpoint(feed.endpoint)},${dead}`],
  ]);
  assertEquals([code, feed.left], [1, 1], stdout);
  const lines = stdout.split("\n").map((line) => line.trim());
  assert(lines.includes(`ok   ${formatEndpoint(feed.endpoint)}: hands out tokens`), stdout);
  assert(lines.some((line) => line.startsWith(`FAIL ${dead}: connection refused`)), stdout);
});

Deno.test("secondary feeds stand in, several fronts have feeds of their own", async () => {
  await using a = new TcpPeer(greetThenEcho("a"));
  await using b = new TcpPeer(greetThenEcho("b"));
  await using first = new TokenFeed();
  await using second = new TokenFeed();
  first.always = a.address;
  second.always = b.address;
  const [one, two] = [formatEndpoint(first.endpoint), formatEndpoint(second.endpoint)];
  const dead = `tcp://127.0.0.1:${freePort()}`;
  await using balancer = await Balancer.start({
    command: ["proxy", `127.0.0.1:0,${one}`, `127.0.0.1:0,${dead}`],
    flags: ["--secondary", two],
  });
  assertEquals(await greeting(await balancer.port("front1")), "a");
  assertEquals(await greeting(await balancer.port("front2")), "b");
  assertEquals(second.sent > 0, true);
});
