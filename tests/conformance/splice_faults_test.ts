// What only the splice engine can suffer: workers that die or hang, descriptors and pipes that run out,
// sockets that were there before it.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { firstInQueue, NOBODY, queuedIn } from "../../lib/core/dial/pool_queue.ts";
import { ACTIVE, CLOCK, STICKY_SECONDS, TOKENS_DISCARDED } from "../../lib/core/pick/pick_table.ts";
import { Source } from "../../lib/core/pick/source.ts";
import { recall } from "../../lib/core/pick/sticky.ts";
import { putToken, tokensIn } from "../../lib/core/pick/tokens.ts";
import { formatAddress } from "../../lib/core/values/address.ts";
import { openLibc } from "../../lib/engine/splice/libc.ts";
import { SocketMaker } from "../../lib/engine/splice/sockets.ts";
import type { WorkerLoss } from "../../lib/engine/splice/supervisor.ts";
import { echo, greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { digest, pseudoRandomBytes, readAll, receive, send, writeAll } from "../support/bytes.ts";
import { LoopbackClient } from "../support/loopback_client.ts";
import { starvedEngine } from "../support/processes.ts";
import {
  FAULTY_WORKER_URL,
  KEEPALIVE,
  makeSpliceEngine,
  PIPELESS_WORKER_URL,
} from "../support/splice_engine.ts";
import { waitFor } from "../support/wait_for.ts";
import {
  connectTo,
  EngineFixture,
  frontendOf,
  greeted,
  openDescriptors,
  planOf,
  startPool,
} from "./engine_fixture.ts";

const FAULT = "COMPUTE_LB_TEST_FAULT";

/** What an echo server says to an x. */
async function greetedBy(port: number): Promise<string> {
  using client = await connectTo(port);
  await send(client, "x");
  return await receive(client, 1);
}

Deno.test("a worker that dies is reported with its tunnels, cleaned up after, and replaced", async () => {
  const losses: WorkerLoss[] = [];
  await using backend = new TcpPeer(echo);
  const plan = planOf([backend.address], { stickyEntries: 64 });
  plan.table.words[STICKY_SECONDS] = 60;
  {
    await using fixture = new EngineFixture(makeSpliceEngine({
      workerUrl: FAULTY_WORKER_URL,
      onWorkerLost: (loss) => losses.push(loss),
    }));
    const port = await fixture.listen(plan);
    const clients: Deno.TcpConn[] = [];
    for (let i = 0; i < 8; i++) {
      const client = await connectTo(port);
      clients.push(client);
      await send(client, "x");
      await receive(client, 1);
    }
    const before = openDescriptors();
    Deno.env.set(FAULT, "die");
    await waitFor("a worker's death", () => losses.length === 1);
    const lost = losses[0]?.tunnels ?? 0;
    assert(lost > 0 && lost < 8, `${lost} of 8 tunnels were on one of two workers`);
    assert(losses[0]?.message.includes("asked for"), losses[0]?.message);

    // Its clients are told; those of the other worker go on.
    let standing = 0;
    for (const client of clients) {
      await send(client, "y").catch(() => {});
      const answer = await receive(client, 1).catch(() => "");
      if (answer === "y") standing++;
    }
    assertEquals(standing, 8 - lost);
    assertEquals(fixture.engine.counters().active, standing);
    assertEquals(plan.table.read(0, ACTIVE), standing);
    await fixture.nth("closed", lost);
    assert(fixture.of("closed").every(({ reason }) => reason === "shutdown"));

    // The new one serves: with two workers, every second client of many comes to it.
    for (let i = 0; i < 8; i++) {
      const client = await connectTo(port);
      clients.push(client);
      await send(client, "z");
      assertEquals(await receive(client, 1), "z");
    }
    assertEquals(fixture.engine.counters().opened, 16);
    assertEquals(fixture.engine.counters().activeByFrontend.get("f"), standing + 8);
    for (const client of clients) client.close();
    await fixture.quiet();
    await waitFor("the backend's side to end", () => backend.open.size === 0);
    await waitFor("the descriptors to return", () => openDescriptors() <= before);
  }
  assertEquals(plan.table.read(0, ACTIVE), 0);
  // The sessions of the dead one count no more for where their client sticks.
  const client = new Source();
  client.setIpv4(0x7f00_0001);
  assertEquals(recall(plan.table, client), 0);
  plan.table.words[CLOCK] = 60;
  assertEquals(recall(plan.table, client), -1);
});

Deno.test("a dead worker's clients leave room for those who wait, and for others of their address", async () => {
  const losses: WorkerLoss[] = [];
  await using backend = new TcpPeer(greetThenEcho("a"));
  await using fixture = new EngineFixture(makeSpliceEngine({
    workerUrl: FAULTY_WORKER_URL,
    onWorkerLost: (loss) => losses.push(loss),
  }));
  const port = await fixture.listen(planOf([backend.address]), {
    maxConnections: 8,
    perSource: { maxConnections: 6, penaltyMs: 0 },
  });
  const come = (address: string, count: number) =>
    Array.from({ length: count }, () => new LoopbackClient(address, port));
  const clients = [...come("127.0.0.2", 6), ...come("127.0.0.3", 2)];
  await fixture.nth("opened", 8);
  const late = come("127.0.0.4", 8);
  Deno.env.set(FAULT, "die");
  await waitFor("a worker's death", () => losses.length === 1);
  const lost = losses[0]?.tunnels ?? 0;
  assert(lost > 0 && lost < 8, `${lost} of 8 tunnels were on one of two workers`);
  await fixture.nth("opened", 8 + lost);
  for (const client of late) client[Symbol.dispose]();
  await waitFor("them to leave", () => fixture.engine.counters().active === 8 - lost);
  const gone = fixture.of("closed").filter(({ reason }) => reason === "shutdown");
  const ofOne = gone.filter(({ client }) => formatAddress(client).startsWith("127.0.0.2:")).length;
  const next = come("127.0.0.2", ofOne + 1);
  const heard = await Promise.all(next.map((client) => client.greeting()));
  assertEquals(heard.sort(), ["", ...new Array<string>(ofOne).fill("a")]);
  assertEquals((await fixture.nth("refused")).reason, "source_full");
  for (const client of [...clients, ...next]) client[Symbol.dispose]();
  await fixture.quiet();
  await waitFor(
    "the last place",
    () => fixture.engine.counters().activeByFrontend.get("f") === 0,
  );
});

Deno.test("clients of a dead worker that wait in a queue block nobody there", async () => {
  const losses: WorkerLoss[] = [];
  await using backend = new TcpPeer(echo);
  const plan = planOf([{ address: backend.address, maxConnections: 1 }], {
    queue: { timeoutMs: 60_000, max: 100 },
  });
  const { table } = plan;
  await using fixture = new EngineFixture(makeSpliceEngine({
    workerUrl: FAULTY_WORKER_URL,
    onWorkerLost: (loss) => losses.push(loss),
  }));
  const port = await fixture.listen(plan);
  const clients: Deno.TcpConn[] = [];
  for (let i = 0; i < 9; i++) {
    const client = await connectTo(port);
    clients.push(client);
    await send(client, `${i}`);
    await waitFor(
      "the client to have come",
      () => fixture.of("opened").length + queuedIn(table) === i + 1,
    );
  }
  Deno.env.set(FAULT, "die");
  await waitFor("a worker's death", () => losses.length === 1);
  // Whoever is left is served, whether the place or the first in the queue was the dead one's.
  let served = 0;
  for (const [i, client] of clients.entries()) {
    const answer = await receive(client, 1).catch(() => "");
    if (answer === `${i}`) served++;
    client.close();
  }
  assert(served > 0 && served < 9, `${served} of 9 clients were of one of two workers`);
  await fixture.quiet();
  await waitFor("the place to return", () => table.read(0, ACTIVE) === 0);
  assertEquals([queuedIn(table), firstInQueue(table)], [0, NOBODY]);
  assertEquals(fixture.engine.counters().activeByFrontend.get("f"), 0);
  // A new one finds its place at once.
  assertEquals(await greetedBy(port), "x");
});

Deno.test("a worker that dies while clients take tokens leaks none, and its successor takes them, too", async () => {
  const losses: WorkerLoss[] = [];
  await using fixture = new EngineFixture(makeSpliceEngine({
    workerUrl: FAULTY_WORKER_URL,
    onWorkerLost: (loss) => losses.push(loss),
  }));
  await using pool = await startPool(fixture, { a: {}, b: {} }, {
    kernel: "token",
    queue: { timeoutMs: 60_000, max: 1000 },
  });
  const { port, plan: { table } } = pool;
  const come = (count: number) =>
    Array.from({ length: count }, () => new LoopbackClient("127.0.0.2", port));
  const active = () => table.read(0, ACTIVE) + table.read(1, ACTIVE);
  let put = 0;
  const putOne = () => putToken(table, put % 2) && ++put;
  const serveAll = (what: string) =>
    waitFor(what, () => {
      while (tokensIn(table) < queuedIn(table) && putOne());
      return queuedIn(table) === 0 && fixture.engine.counters().active === active();
    });

  const clients = come(8);
  await waitFor("them to wait", () => queuedIn(table) === 8);
  await serveAll("the first to be served");
  clients.push(...come(40));
  // A token or two may be left of those before.
  await waitFor(
    "more to wait",
    () => fixture.engine.counters().opened + queuedIn(table) === clients.length,
  );
  // Clients of both workers take these while one of them dies.
  while (putOne());
  Deno.env.set(FAULT, "die");
  await waitFor("a worker's death", () => losses.length === 1);
  await serveAll("those who are left to be served");
  const before = fixture.engine.counters().opened;
  // With two workers, every second client comes to the successor.
  const next = come(20);
  await waitFor(
    "the next to wait, or to be served",
    () => fixture.engine.counters().opened - before + queuedIn(table) >= 20,
  );
  await serveAll("the next to be served");
  const heard = await Promise.all(next.map((client) => client.greeting()));
  assert(heard.every((name) => name === "a" || name === "b"), heard.join());

  const { opened } = fixture.engine.counters();
  const lost = put - opened - tokensIn(table);
  const died = clients.length - (opened - next.length);
  assertEquals(table.words[TOKENS_DISCARDED], 0);
  assert(lost >= 0 && lost <= died, `${lost} tokens are lost with ${died} clients`);
  for (const client of [...clients, ...next]) client[Symbol.dispose]();
  await fixture.quiet();
  assertEquals([table.read(0, ACTIVE), table.read(1, ACTIVE), queuedIn(table)], [0, 0, 0]);
  while (tokensIn(table) === 0) putOne();
  assert("ab".includes(await greeted(port)));
});

Deno.test("a worker that hangs is reported as fatal", async () => {
  const fatal: string[] = [];
  await using fixture = new EngineFixture(makeSpliceEngine({
    workerUrl: FAULTY_WORKER_URL,
    workers: 1,
    onFatal: (message) => fatal.push(message),
    watch: { intervalMs: 400, misses: 4 },
  }));
  await using backend = new TcpPeer(echo);
  await fixture.listen(planOf([backend.address]));
  Deno.env.set(FAULT, "hang");
  try {
    await waitFor("the report", () => fatal.length === 1);
  } finally {
    Deno.env.delete(FAULT);
  }
  assert(fatal[0]?.includes("not answered"), fatal[0]);
});

Deno.test("a worker that dies when a reload holds it does not stop the reload, nor undo it", async () => {
  await using before = new TcpPeer(greetThenEcho("b"));
  await using after = new TcpPeer(greetThenEcho("a"));
  const lost: number[] = [];
  await using fixture = new EngineFixture(makeSpliceEngine({
    workerUrl: FAULTY_WORKER_URL,
    onWorkerLost: ({ worker }) => lost.push(worker),
  }));
  const { engine } = fixture;
  const port = await fixture.listen(planOf([before.address]));
  assertEquals(await greeted(port), "b");
  await fixture.quiet();
  Deno.env.set(FAULT, "die");
  await engine.start([frontendOf({ pool: "q" })], () => {
    engine.withdraw("p");
    engine.publish("q", planOf([after.address]));
  });
  let heard = "";
  for (let n = 0; n < 20; n++) heard += await greeted(port);
  assertEquals([heard, lost], ["a".repeat(20), [0]]);
});

Deno.test("a socket that the program was started with is used and not bound anew", async () => {
  const libc = openLibc();
  const made = new SocketMaker(libc, KEEPALIVE)
    .listen({ transport: "tcp", host: "127.0.0.1", port: 0 });
  await using backend = new TcpPeer(echo);
  await using fixture = new EngineFixture(makeSpliceEngine({ inherited: [made.fd] }));
  fixture.engine.publish("p", planOf([backend.address]));
  const bound = await fixture.engine.start([frontendOf({ listen: [made.bound] })]);
  assertEquals(bound.get("f"), [made.bound]);
  assert(made.bound.transport === "tcp");
  using client = await connectTo(made.bound.port);
  await send(client, "x");
  assertEquals(await receive(client, 1), "x");
  libc.close();
});

Deno.test("when descriptors run out, clients wait, transfers copy, and no session is lost", async () => {
  await using backend = new TcpPeer(echo);
  // A process of its own, with room for some 60 tunnels.
  const child = starvedEngine(backend.address, 160);
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const clients: Deno.TcpConn[] = [];
  try {
    const port = Number((await lines.read()).value);
    for (let i = 0; i < 120; i++) clients.push(await connectTo(port));
    const echoes = clients.map(async (client, i) => {
      const text = `client ${i}`;
      await send(client, text);
      assertEquals(await receive(client, text.length), text);
      return client;
    });
    // Some are served at once, more than that have to wait for these to leave.
    const first = await Promise.race(echoes);
    const bytes = pseudoRandomBytes(4_000_000, 3);
    const reading = readAll(first);
    await writeAll(first, bytes);
    await first.closeWrite();
    assertEquals(await digest(await reading), await digest(bytes));
    await Promise.all(echoes.map(async (echo) => (await echo).close()));
    // Said once per shortage, not once per client.
    const said = (await lines.read()).value ?? "";
    assert(said.includes("out_of_descriptors"), said);
  } finally {
    for (const client of clients) {
      try {
        client.close();
      } catch {
        // Closed when it was served.
      }
    }
    await child.stdin.close();
    await child.status;
    await lines.cancel();
  }
});

Deno.test("an engine whose workers do not come up says so and leaves nothing behind", async () => {
  const before = openDescriptors();
  const engine = makeSpliceEngine({ workerUrl: "data:text/javascript,throw new Error('no')" });
  await assertRejects(() => engine.start([frontendOf()]), Error, "Cannot start a worker");
  await engine[Symbol.asyncDispose]();
  // The threads' own descriptors go with the threads, a little later.
  await waitFor("the descriptors to return", () => openDescriptors() <= before);
});

Deno.test("an idle timeout that comes with a reload holds for tunnels that stand", async () => {
  await using backend = new TcpPeer(echo);
  await using fixture = new EngineFixture(makeSpliceEngine());
  const port = await fixture.listen(planOf([backend.address]));
  using client = await connectTo(port);
  await send(client, "x");
  await receive(client, 1);
  await fixture.engine.start([frontendOf({ idleTimeoutMs: 300 })]);
  assertEquals((await readAll(client)).length, 0);
  assertEquals((await fixture.nth("closed")).reason, "idle_timeout");
});

Deno.test("without pipes, bulk is copied, with back-pressure and to the last byte", async () => {
  let echoed = 0;
  await using backend = new TcpPeer(async (conn) => {
    const buffer = new Uint8Array(65_536);
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
      await writeAll(conn, buffer.subarray(0, n));
      echoed += n;
    }
    await conn.closeWrite();
  });
  await using fixture = new EngineFixture(
    makeSpliceEngine({ workerUrl: PIPELESS_WORKER_URL, workers: 1 }),
  );
  const port = await fixture.listen(planOf([backend.address]));
  using client = await connectTo(port);
  const bytes = pseudoRandomBytes(16_000_000, 4);
  const upload = writeAll(client, bytes).then(() => client.closeWrite());
  // Nothing is read until the sender is held back: the rests of copies must be kept.
  let before = -1;
  await waitFor("the sender to stall", async () => {
    if (echoed > 0 && echoed === before) return true;
    before = echoed;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return false;
  });
  assertEquals(await digest(await readAll(client)), await digest(bytes));
  await upload;
  const closed = await fixture.nth("closed");
  assertEquals([closed.bytesToBackend, closed.bytesToClient], [bytes.length, bytes.length]);
});

Deno.test("refused clients that read why in a worker that dies are closed, and counted once", async () => {
  const losses: WorkerLoss[] = [];
  await using fixture = new EngineFixture(makeSpliceEngine({
    workerUrl: FAULTY_WORKER_URL,
    workers: 1,
    onWorkerLost: (loss) => losses.push(loss),
  }));
  const refusalText = new Map([["no_backend", new TextEncoder().encode("nobody\r\n")]] as const);
  const port = await fixture.listen(planOf([]), { refusalText });
  const before = openDescriptors();
  const clients: Deno.TcpConn[] = [];
  for (let i = 0; i < 20; i++) {
    const client = await connectTo(port);
    clients.push(client);
    assertEquals(await receive(client, 8), "nobody\r\n");
  }
  Deno.env.set(FAULT, "die");
  await waitFor("the worker's death", () => losses.length === 1);
  assertEquals(losses[0]?.tunnels, 0);
  await waitFor(
    "their sockets to be closed",
    // Threads come and go with some of their own.
    () => openDescriptors() < before + clients.length + 10,
  );
  const { active, activeByFrontend, refused } = fixture.engine.counters();
  assertEquals([active, activeByFrontend.get("f"), refused], [0, 0, 20]);
  for (const client of clients) client.close();
});
