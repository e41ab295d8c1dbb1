// Engine cases about clients that wait in a pool's queue, because every backend that should take them is full.

import { assert, assertEquals } from "@std/assert";
import { firstInQueue, NOBODY, queuedIn } from "../../lib/core/dial/pool_queue.ts";
import {
  ACTIVE,
  BURST_FREE,
  BURST_LINE,
  ELIGIBLE,
  HEADER_WORDS,
  MAX_CONNECTIONS,
  PACE_LIMIT,
  type PickTable,
  QUEUE_HEAD,
  QUEUE_TAIL,
  QUEUE_TIMEOUTS,
  QUEUED_TOTAL,
  ROW_WORDS,
  STICKY_SECONDS,
} from "../../lib/core/pick/pick_table.ts";
import { Source } from "../../lib/core/pick/source.ts";
import { remember } from "../../lib/core/pick/sticky.ts";
import { enterYoung, YoungSteps } from "../../lib/core/pick/young.ts";
import type { PoolPlan } from "../../lib/engine/engine.ts";
import { echo, greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { readAll, receive, send } from "../support/bytes.ts";
import { connectResettable } from "../support/reset.ts";
import { waitFor, within } from "../support/wait_for.ts";
import type { EngineCase } from "./engine_cases.ts";
import {
  connectTo,
  type EngineFixture,
  frontendOf,
  planOf,
  portOf,
  startPool,
} from "./engine_fixture.ts";
import { deadPort } from "./placing_cases.ts";

/** Longer than any case takes: who waits is served, or the case fails. */
const PATIENT = { timeoutMs: 60_000, max: 1000 };

/** Connects a client that will have to wait, and returns when it does. */
async function queueUp(port: number, { table }: PoolPlan): Promise<Deno.TcpConn> {
  const before = queuedIn(table);
  const client = await connectTo(port);
  await waitFor("the client to be in the queue", () => queuedIn(table) > before);
  return client;
}

/** Connects a client that finds a place, and waits until its tunnel stands. */
async function comeIn(fixture: EngineFixture, port: number): Promise<Deno.TcpConn> {
  const opened = fixture.of("opened").length;
  const client = await connectTo(port);
  await fixture.nth("opened", opened + 1);
  return client;
}

/** A burst is dealt out, and backend a has as many young logins as pacing allows; time passes by hand. */
function paceFirst(table: PickTable, withinMs = 800): YoungSteps {
  table.words[PACE_LIMIT] = 4;
  table.words[BURST_FREE] = 36_700;
  table.words[BURST_LINE] = 2000;
  const steps = new YoungSteps(table, 0);
  steps.setWithin(withinMs);
  [4, 2, 1].forEach((count, row) => {
    for (let i = 0; i < count; i++) enterYoung(table.words, HEADER_WORDS + row * ROW_WORDS);
  });
  return steps;
}

const CLASSROOM = { a: { free: 22_000 }, b: { free: 11_000 }, c: { free: 3700 } };

export const QUEUE_CASES: readonly EngineCase[] = [
  {
    name:
      "clients wait while all backends are full, and are served in the order in which they came",
    run: async (fixture) => {
      await using a = new TcpPeer(echo);
      const plan = planOf([{ address: a.address, maxConnections: 1 }], { queue: PATIENT });
      const { table } = plan;
      const port = await fixture.listen(plan);
      const first = await comeIn(fixture, port);
      const waiting: Deno.TcpConn[] = [];
      for (let i = 0; i < 8; i++) {
        const client = await queueUp(port, plan);
        waiting.push(client);
        await send(client, String(i));
      }
      // Nothing is read from who waits: the backend has heard of one client alone.
      assertEquals([a.accepted, table.read(0, ACTIVE), fixture.of("refused").length], [1, 1, 0]);
      first.close();
      for (const [i, client] of waiting.entries()) {
        assertEquals(await receive(client, 1), String(i));
        assertEquals(queuedIn(table), 7 - i);
        client.close();
      }
      await fixture.nth("closed", 9);
      const opened = fixture.of("opened");
      const ports = opened.map(({ client }) => client.transport === "tcp" ? client.port : 0);
      assertEquals(ports.slice(1), waiting.map(({ localAddr }) => localAddr.port));
      assertEquals(opened[0]?.queueMs, 0);
      assert(opened.slice(1).every(({ queueMs }) => queueMs > 0));
      assertEquals([table.words[QUEUED_TOTAL], table.words[QUEUE_TIMEOUTS]], [8, 0]);
    },
  },
  {
    name:
      "who waits for a place in vain is refused when the time is over, and says how long it was",
    run: async (fixture) => {
      await using pool = await startPool(fixture, { a: { maxConnections: 1 } }, {
        queue: { timeoutMs: 200, max: 10 },
      });
      const { port, plan } = pool;
      using first = await connectTo(port);
      assertEquals(await receive(first, 1), "a");
      using late = await connectTo(port);
      assertEquals((await readAll(late)).length, 0);
      const refused = await fixture.nth("refused");
      assertEquals([refused.reason, refused.attempts], ["queue_timeout", 0]);
      assert(refused.queueMs >= 200);
      const { table } = plan;
      assertEquals([queuedIn(table), table.words[QUEUE_TIMEOUTS]], [0, 1]);
      // The log knows who was full.
      const [pick] = refused.store.chain(refused.lastPick);
      assertEquals(pick?.snapshot?.backends.map(({ outcome }) => outcome), ["full"]);
      first.close();
      await waitFor("a place", () => table.read(0, ACTIVE) === 0);
      using next = await connectTo(port);
      assertEquals(await receive(next, 1), "a");
    },
  },
  {
    name: "no more wait than may: who comes then is refused at once",
    run: async (fixture) => {
      await using pool = await startPool(fixture, { a: { maxConnections: 1 } }, {
        queue: { ...PATIENT, max: 2 },
      });
      const { port, plan } = pool;
      using _first = await comeIn(fixture, port);
      using one = await queueUp(port, plan);
      using _two = await queueUp(port, plan);
      using three = await connectTo(port);
      assertEquals((await readAll(three)).length, 0);
      assertEquals((await fixture.nth("refused")).reason, "queue_full");
      assertEquals(queuedIn(plan.table), 2);
      plan.table.write(0, MAX_CONNECTIONS, 2);
      assertEquals(await receive(one, 1), "a");
    },
  },
  {
    name:
      "a client that has gone gives its place in the queue up; one that has only finished sending waits",
    run: async (fixture) => {
      await using a = new TcpPeer(echo);
      const plan = planOf([{ address: a.address, maxConnections: 1 }], { queue: PATIENT });
      const port = await fixture.listen(plan);
      const first = await comeIn(fixture, port);
      const gone = await connectResettable(port);
      await waitFor("the client to be in the queue", () => queuedIn(plan.table) === 1);
      using finished = await queueUp(port, plan);
      await send(finished, "all");
      await finished.closeWrite();
      await gone.reset();
      assertEquals((await fixture.nth("refused")).reason, "client_left");
      assertEquals(queuedIn(plan.table), 1);
      first.close();
      assertEquals(new TextDecoder().decode(await readAll(finished)), "all");
      await fixture.quiet();
      assertEquals(plan.table.read(0, ACTIVE), 0);
      await waitFor(
        "the place in the frontend",
        () => fixture.engine.counters().activeByFrontend.get("f") === 0,
      );
    },
  },
  {
    name: "those who have gone take up no room in the queue, whoever waits there longer",
    run: async (fixture) => {
      await using a = new TcpPeer(echo);
      const plan = planOf([{ address: a.address, maxConnections: 1 }], { queue: PATIENT });
      const { words } = plan.table;
      const port = await fixture.listen(plan);
      const first = await comeIn(fixture, port);
      const stay: Deno.TcpConn[] = [];
      for (let i = 1; i <= 3; i++) {
        stay.push(await queueUp(port, plan));
        const gone = await Promise.all([1, 2].map(() => connectResettable(port)));
        await waitFor("both to be in the queue", () => queuedIn(plan.table) === i + 2);
        await Promise.all(gone.map((one) => one.reset()));
        await waitFor("both to have left", () => queuedIn(plan.table) === i);
      }
      await waitFor("room for others", () => {
        return Atomics.load(words, QUEUE_TAIL) - Atomics.load(words, QUEUE_HEAD) === stay.length;
      });
      first.close();
      for (const [index, one] of stay.entries()) {
        await send(one, "x");
        assertEquals([await receive(one, 1), queuedIn(plan.table)], ["x", 2 - index]);
        one.close();
      }
      await fixture.quiet();
    },
  },
  {
    name:
      "a client waits for the backend that is best for it while that stands back, until time passes",
    run: async (fixture) => {
      await using pool = await startPool(fixture, CLASSROOM, {
        kernel: "most_free",
        queue: PATIENT,
      });
      const { port, plan } = pool;
      const steps = paceFirst(plan.table);
      using one = await queueUp(port, plan);
      // A newcomer does not overtake, wherever it would go.
      using two = await queueUp(port, plan);
      assertEquals(fixture.of("opened"), []);
      steps.advance(900);
      // With the place there one of them gets its turn, and the other's is elsewhere then.
      assertEquals([await receive(one, 1), await receive(two, 1)].sort(), ["a", "b"]);
      const opened = await fixture.nth("opened");
      assert(opened.queueMs > 0);
      assertEquals([opened.choice.paced, queuedIn(plan.table)], [false, 0]);
    },
  },
  {
    name: "who waits in vain for a backend that stands back goes to another, and nobody else waits",
    run: async (fixture) => {
      await using pool = await startPool(fixture, CLASSROOM, {
        kernel: "most_free",
        queue: { timeoutMs: 300, max: 10 },
      });
      const { port, plan } = pool;
      // Steps of 10 ms say that there will be a place soon, but no step comes.
      paceFirst(plan.table, 80);
      using one = await connectTo(port);
      assertEquals(await receive(one, 1), "b");
      using two = await connectTo(port);
      await receive(two, 1);
      const [first, second] = [await fixture.nth("opened"), await fixture.nth("opened", 2)];
      assert(first.queueMs > 0);
      assertEquals([first.choice.paced, second.queueMs], [true, 0]);
      assertEquals(fixture.of("refused"), []);
    },
  },
  {
    name: "where as many wait as may, pacing spreads at once",
    run: async (fixture) => {
      await using pool = await startPool(fixture, CLASSROOM, {
        kernel: "most_free",
        queue: { ...PATIENT, max: 1 },
      });
      const { port, plan } = pool;
      paceFirst(plan.table);
      using _one = await queueUp(port, plan);
      using two = await connectTo(port);
      assertEquals(await receive(two, 1), "b");
    },
  },
  {
    name: "a client that is to come back where there is a place passes by those who wait",
    run: async (fixture) => {
      await using pool = await startPool(fixture, CLASSROOM, {
        kernel: "most_free",
        stickyEntries: 16,
        queue: PATIENT,
      });
      const { plan } = pool;
      const { table } = plan;
      const listen = ["::1", "127.0.0.1"].map((host) =>
        ({ transport: "tcp", host, port: 0 }) as const
      );
      const bound = (await fixture.engine.start([frontendOf({ listen })])).get("f") ?? [];
      table.words[STICKY_SECONDS] = 60;
      const client = new Source();
      client.setIpv4(0x7f00_0001);
      remember(table, client, 2);
      paceFirst(table);
      using _stranger = await Deno.connect({ hostname: "::1", port: portOf(bound) });
      await waitFor("the client to be in the queue", () => queuedIn(table) === 1);
      using back = await connectTo(portOf(bound.slice(1)));
      assertEquals(await receive(back, 1), "c");
      assertEquals(queuedIn(table), 1);
    },
  },
  {
    name:
      "who waits is placed by what is so then: a place more, a backend that comes up, a new plan",
    run: async (fixture) => {
      await using a = new TcpPeer(greetThenEcho("a"));
      await using b = new TcpPeer(greetThenEcho("b"));
      await using c = new TcpPeer(greetThenEcho("c"));
      const plan = planOf([
        { address: a.address, maxConnections: 1 },
        { address: b.address, maxConnections: 1, eligible: false },
        { address: c.address, eligible: false },
      ], { queue: PATIENT });
      const { table, endpoints, ...rest } = plan;
      const port = await fixture.listen({ table, endpoints: endpoints.slice(0, 2), ...rest });
      using _first = await comeIn(fixture, port);
      using one = await queueUp(port, plan);
      using two = await queueUp(port, plan);
      using three = await queueUp(port, plan);
      table.write(0, MAX_CONNECTIONS, 2);
      assertEquals(await receive(one, 1), "a");
      table.write(1, ELIGIBLE, 1);
      assertEquals(await receive(two, 1), "b");
      fixture.engine.publish("p", plan);
      table.write(2, ELIGIBLE, 1);
      assertEquals(await receive(three, 1), "c");
      assertEquals(queuedIn(table), 0);
    },
  },
  {
    name: "when no backend can be used at all, everybody who waits is refused at once",
    run: async (fixture) => {
      await using pool = await startPool(fixture, { a: { maxConnections: 1 } }, {
        queue: PATIENT,
      });
      const { port, plan } = pool;
      using first = await comeIn(fixture, port);
      const waiting: Deno.TcpConn[] = [];
      for (let i = 0; i < 6; i++) waiting.push(await queueUp(port, plan));
      plan.table.write(0, ELIGIBLE, 0);
      for (const client of waiting) assertEquals((await readAll(client)).length, 0);
      await fixture.nth("refused", 6);
      const reasons = new Set(fixture.of("refused").map(({ reason }) => reason));
      assertEquals([...reasons], ["no_backend"]);
      assertEquals([queuedIn(plan.table), firstInQueue(plan.table)], [0, NOBODY]);
      for (const client of waiting) client.close();
      assertEquals(await receive(first, 1), "a");
    },
  },
  {
    name: "a reload that sends a frontend's clients elsewhere takes those along who wait",
    run: async (fixture) => {
      await using old = await startPool(fixture, { a: { maxConnections: 1 } }, { queue: PATIENT });
      await using other = new TcpPeer(greetThenEcho("o"));
      const { plan } = old;
      const listen = [{ transport: "tcp", host: "127.0.0.1", port: deadPort() }] as const;
      const port = await fixture.listen(plan, { listen });
      using _first = await comeIn(fixture, port);
      using one = await queueUp(port, plan);
      using two = await queueUp(port, plan);
      const elsewhere = planOf([{ address: other.address, maxConnections: 1 }], { queue: PATIENT });
      await fixture.engine.start([frontendOf({ listen, pool: "q" })], () => {
        fixture.engine.publish("q", elsewhere);
      });
      const first = await within("one of them", Promise.race([receive(one, 1), receive(two, 1)]));
      assertEquals(first, "o");
      assertEquals([queuedIn(plan.table), queuedIn(elsewhere.table)], [0, 1]);
      elsewhere.table.write(0, MAX_CONNECTIONS, 2);
      const opened = await fixture.nth("opened", 3);
      assertEquals([opened.pool, opened.backend], ["q", other.address]);
    },
  },
  {
    name: "a shorter queue.timeout holds for those who wait, too",
    run: async (fixture) => {
      await using pool = await startPool(fixture, { a: { maxConnections: 1 } }, {
        queue: PATIENT,
      });
      const { port, plan } = pool;
      using _first = await comeIn(fixture, port);
      using one = await queueUp(port, plan);
      fixture.engine.publish("p", { ...plan, queue: { timeoutMs: 1, max: 10 } });
      assertEquals((await readAll(one)).length, 0);
      assertEquals((await fixture.nth("refused")).reason, "queue_timeout");
    },
  },
  {
    name: "who waits when the engine is cut is refused, and nothing is left behind",
    run: async (fixture) => {
      await using pool = await startPool(fixture, { a: { maxConnections: 1 } }, {
        queue: PATIENT,
      });
      const { port, plan } = pool;
      using _first = await comeIn(fixture, port);
      using one = await queueUp(port, plan);
      using two = await queueUp(port, plan);
      await within("the end", fixture.engine.drain(AbortSignal.abort()));
      assertEquals([(await readAll(one)).length, (await readAll(two)).length], [0, 0]);
      await fixture.nth("refused", 2);
      assertEquals([queuedIn(plan.table), plan.table.read(0, ACTIVE)], [0, 0]);
    },
  },
  {
    name: "hundreds that wait are all served, one after the other, and every place is used",
    run: async (fixture) => {
      const clients = 300;
      const limit = 7;
      await using a = new TcpPeer(echo);
      const plan = planOf([{ address: a.address, maxConnections: limit }], { queue: PATIENT });
      const port = await fixture.listen(plan);
      await Promise.all(Array.from({ length: clients }, async (_, i) => {
        using client = await connectTo(port);
        const text = `client ${i}`;
        await send(client, text);
        assertEquals(await receive(client, text.length), text);
      }));
      await fixture.nth("closed", clients);
      assertEquals(fixture.of("refused"), []);
      assertEquals([queuedIn(plan.table), plan.table.read(0, ACTIVE)], [0, 0]);
    },
  },
];
