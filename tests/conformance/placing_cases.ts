// Engine cases about where a connection goes: picks, retries, limits, refusals.

import { kernelAt } from "../../lib/core/pick/kernels/registry.ts";
import { assert, assertEquals } from "@std/assert";
import {
  ACTIVE,
  BACKUP,
  CONNECT_FAILURES,
  ELIGIBLE,
  TOTAL,
} from "../../lib/core/pick/pick_table.ts";
import { BlackHole } from "../peers/black_hole.ts";
import { echo, greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { readAll, receive, send } from "../support/bytes.ts";
import { waitFor, within } from "../support/wait_for.ts";
import type { EngineCase } from "./engine_cases.ts";
import { connectTo, frontendOf, greeted, planOf, portOf, startPool } from "./engine_fixture.ts";

/** A loopback port where nobody listens. */
export function deadAddress(): string {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return `127.0.0.1:${listener.addr.port}`;
}

export function deadPort(): number {
  const address = deadAddress();
  return Number(address.slice(address.lastIndexOf(":") + 1));
}

/** Connects to a unix socket until nobody more fits in; those who wait there are gone already. */
async function fillBacklog(path: string): Promise<void> {
  for (;;) {
    try {
      (await Deno.connect({ transport: "unix", path })).close();
    } catch (error) {
      if (error instanceof Deno.errors.WouldBlock) return;
      throw error;
    }
  }
}

export const PLACING_CASES: readonly EngineCase[] = [
  {
    name: "round robin starts at the first and takes turns",
    run: async (fixture) => {
      await using pool = await startPool(fixture, { a: {}, b: {}, c: {} });
      const { port } = pool;
      let order = "";
      for (let i = 0; i < 7; i++) order += await greeted(port);
      assertEquals(order, "abcabca");
    },
  },
  {
    name: "most free cores wins; the log knows why and who came second",
    run: async (fixture) => {
      await using pool = await startPool(fixture, { a: { free: 4000 }, b: { free: 9000 } }, {
        kernel: "most_free",
      });
      const { port } = pool;
      using client = await connectTo(port);
      assertEquals(await receive(client, 1), "b");
      const opened = await fixture.nth("opened");
      const { choice, endpoints } = opened;
      assertEquals(
        [kernelAt(choice.kernel).name, choice.free, choice.active, choice.sticky, choice.paced],
        ["most_free", 9000, 0, false, false],
      );
      const runnerUp = endpoints[choice.runnerUp]?.backend;
      assertEquals(
        [runnerUp, choice.runnerUpFree, choice.runnerUpActive],
        [pool.address("a"), 4000, 0],
      );
      assertEquals(opened.attempts, 1);
    },
  },
  {
    name: "least connections counts what stands",
    run: async (fixture) => {
      await using pool = await startPool(fixture, { a: {}, b: {} }, {
        kernel: "least_connections",
      });
      const { port } = pool;
      using first = await connectTo(port);
      const one = await receive(first, 1);
      using second = await connectTo(port);
      const two = await receive(second, 1);
      assertEquals([one, two].sort(), ["a", "b"]);
      first.close();
      await waitFor("the first to be counted out", () => fixture.engine.counters().active === 1);
      for (let i = 0; i < 3; i++) {
        using client = await connectTo(port);
        assertEquals(await receive(client, 1), one);
        client.close();
        await waitFor("it to be counted out", () => fixture.engine.counters().active === 1);
      }
    },
  },
  {
    name: "random reaches every backend",
    run: async (fixture) => {
      await using pool = await startPool(fixture, { a: {}, b: {} }, { kernel: "random" });
      const { port } = pool;
      const seen = new Set<string>();
      for (let i = 0; i < 64 && seen.size < 2; i++) {
        using client = await connectTo(port);
        seen.add(await receive(client, 1));
      }
      assertEquals(seen.size, 2);
    },
  },
  {
    name: "a backend that refuses is passed over for the next",
    run: async (fixture) => {
      await using good = new TcpPeer(greetThenEcho("g"));
      const dead = deadAddress();
      const plan = planOf([dead, good.address]);
      const port = await fixture.listen(plan);
      using client = await connectTo(port);
      assertEquals(await receive(client, 1), "g");
      const failed = await fixture.nth("connect_failed");
      assertEquals([failed.backend, failed.failure, failed.row], [dead, "refused", 0]);
      const opened = await fixture.nth("opened");
      assertEquals([opened.backend, opened.attempts, opened.row], [good.address, 2, 1]);
      assertEquals(plan.table.read(0, CONNECT_FAILURES), 1);
      assertEquals([plan.table.read(0, ACTIVE), plan.table.read(1, ACTIVE)], [0, 1]);
    },
  },
  {
    name: "a backend that does not answer the connect is given up at the deadline",
    run: async (fixture) => {
      // A full accept queue: the kernel drops further SYNs.
      using full = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
      const address = `127.0.0.1:${full.addr.port}`;
      const fillers: Promise<Deno.Conn | undefined>[] = [];
      const stop = new AbortController();
      for (let i = 0; i < 4; i++) {
        fillers.push(
          Deno.connect({ hostname: "127.0.0.1", port: full.addr.port, signal: stop.signal })
            .catch(() => undefined),
        );
      }
      await Promise.race(fillers);
      await using good = new TcpPeer(greetThenEcho("g"));
      const plan = planOf([address, good.address], { connectTimeoutMs: 400 });
      const port = await fixture.listen(plan);
      using client = await connectTo(port);
      assertEquals(await receive(client, 1), "g");
      assertEquals((await fixture.nth("connect_failed")).failure, "timeout");
      stop.abort();
      for (const filler of fillers) (await filler)?.close();
    },
  },
  {
    name: "a unix backend whose backlog is full is waited for until the deadline",
    run: async (fixture) => {
      const folder = await Deno.makeTempDir();
      try {
        const path = `${folder}/b.sock`;
        using listener = Deno.listen({ transport: "unix", path });
        await fillBacklog(path);
        const plan = planOf([`unix:${path}`], { connectTimeoutMs: 10_000 });
        const port = await fixture.listen(plan);
        using one = await connectTo(port);
        using two = await connectTo(port);
        await waitFor("both to be on their way", () => plan.table.read(0, ACTIVE) === 2);
        const serving = (async () => {
          const sessions: Promise<void>[] = [];
          while (fixture.of("closed").length < 2) {
            const conn = await listener.accept();
            sessions.push(echo(conn).catch(() => {}).finally(() => conn.close()));
          }
          await Promise.all(sessions);
        })();
        await send(one, "1");
        await send(two, "2");
        assertEquals(await receive(one, 1), "1");
        assertEquals(await receive(two, 1), "2");
        one.close();
        two.close();
        await fixture.nth("closed", 2);
        // Lets the last accept go.
        (await Deno.connect({ transport: "unix", path })).close();
        await serving;
        assertEquals(fixture.of("connect_failed"), []);

        await fillBacklog(path);
        fixture.engine.publish("p", { ...plan, connectTimeoutMs: 50 });
        using late = await connectTo(port);
        assertEquals((await readAll(late)).length, 0);
        assertEquals((await fixture.nth("refused")).reason, "connect_failed");
        assertEquals(plan.table.read(0, ACTIVE), 0);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  },
  {
    name: "when all backends refuse, the client is closed and told apart in the log",
    run: async (fixture) => {
      const plan = planOf([deadAddress(), deadAddress(), deadAddress()], { retries: 1 });
      const port = await fixture.listen(plan);
      using client = await connectTo(port);
      assertEquals((await readAll(client)).length, 0);
      const refused = await fixture.nth("refused");
      assertEquals([refused.reason, refused.attempts], ["connect_failed", 2]);
      assertEquals(fixture.of("connect_failed").length, 2);
      for (let row = 0; row < 3; row++) assertEquals(plan.table.read(row, ACTIVE), 0);
    },
  },
  {
    name: "a backend's second address is tried before another backend, and nobody is told",
    run: async (fixture) => {
      await using good = new TcpPeer(greetThenEcho("g"));
      await using other = new TcpPeer(greetThenEcho("o"));
      const both = planOf([deadAddress(), good.address, other.address]);
      const [dead, alive, last] = both.endpoints;
      assert(dead !== undefined && alive !== undefined && last !== undefined);
      const addresses = [...dead.addresses, ...alive.addresses];
      const plan = { ...both, endpoints: [{ backend: "two", addresses }, undefined, last] };
      const port = await fixture.listen(plan);
      using client = await connectTo(port);
      assertEquals(await receive(client, 1), "g");
      const opened = await fixture.nth("opened");
      assertEquals([opened.backend, opened.attempts], ["two", 1]);
      assertEquals(opened.backendAddress, alive.addresses[0]);
      assertEquals(fixture.of("connect_failed"), []);

      // Row 1 is a gap: the pick that falls on it is made again and does not count as an attempt.
      using next = await connectTo(port);
      assertEquals(await receive(next, 1), "o");
      assertEquals((await fixture.nth("opened", 2)).attempts, 1);
      assertEquals([0, 1, 2].map((row) => plan.table.read(row, ACTIVE)), [1, 0, 1]);
    },
  },
  {
    name: "a backend whose name does not resolve is passed over, and said so",
    run: async (fixture) => {
      await using good = new TcpPeer(greetThenEcho("g"));
      const plan = planOf([deadAddress(), good.address]);
      const endpoints = [{ backend: "nowhere", addresses: [] }, plan.endpoints[1]];
      const port = await fixture.listen({ ...plan, endpoints });
      using client = await connectTo(port);
      assertEquals(await receive(client, 1), "g");
      const failed = await fixture.nth("connect_failed");
      assertEquals([failed.backend, failed.failure], ["nowhere", "name_not_found"]);
      assertEquals(failed.message, "its name does not resolve");
    },
  },
  {
    name: "without an eligible backend the client is closed at once",
    run: async (fixture) => {
      await using a = new TcpPeer(echo);
      const plan = planOf([{ address: a.address, eligible: false }]);
      const port = await fixture.listen(plan);
      using client = await connectTo(port);
      assertEquals((await within("the end", readAll(client), 2000)).length, 0);
      const refused = await fixture.nth("refused");
      assertEquals([refused.reason, refused.attempts], ["no_backend", 0]);
      assertEquals(a.accepted, 0);
    },
  },
  {
    name: "a pool that was withdrawn refuses, its tunnels go on",
    run: async (fixture) => {
      await using a = new TcpPeer(echo);
      const port = await fixture.listen(planOf([a.address]));
      using before = await connectTo(port);
      await send(before, "x");
      assertEquals(await receive(before, 1), "x");
      fixture.engine.withdraw("p");
      using after = await connectTo(port);
      assertEquals((await readAll(after)).length, 0);
      await send(before, "y");
      assertEquals(await receive(before, 1), "y");
    },
  },
  {
    name: "a client on its way when its pool is withdrawn goes on looking in it",
    run: async (fixture) => {
      await using hole = await BlackHole.open();
      await using good = new TcpPeer(greetThenEcho("g"));
      const plan = planOf([hole.address, good.address], { connectTimeoutMs: 300 });
      const port = await fixture.listen(plan);
      using client = await connectTo(port);
      await waitFor("the client to be on its way", () => plan.table.read(0, ACTIVE) === 1);
      fixture.engine.withdraw("p");
      assertEquals(await receive(client, 1), "g");
      assertEquals((await fixture.nth("connect_failed")).failure, "timeout");
    },
  },
  {
    name: "a table is in use until no plan and no client needs it",
    run: async (fixture) => {
      await using a = new TcpPeer(echo);
      const plan = planOf([a.address]);
      const port = await fixture.listen(plan);
      assertEquals(fixture.engine.uses(plan.table), true);
      using client = await connectTo(port);
      await send(client, "x");
      assertEquals(await receive(client, 1), "x");
      fixture.engine.withdraw("p");
      await fixture.engine.start([]);
      assertEquals(fixture.engine.uses(plan.table), true);
      client.close();
      await waitFor("the table to be free", async () => {
        await fixture.engine.start([]);
        return !fixture.engine.uses(plan.table);
      });
    },
  },
  {
    name: "a client whose backends a reload takes away begins anew, where the frontend leads now",
    run: async (fixture) => {
      await using hole = await BlackHole.open();
      await using old = new TcpPeer(greetThenEcho("o"));
      await using other = new TcpPeer(greetThenEcho("x"));
      // Both stand in one table; the first plan does not know the second yet.
      const { table, endpoints, ...rest } = planOf([
        hole.address,
        { address: other.address, eligible: false },
      ], { connectTimeoutMs: 300 });
      const listen = [{ transport: "tcp", host: "127.0.0.1", port: deadPort() }] as const;
      const port = await fixture.listen({ table, endpoints: endpoints.slice(0, 1), ...rest }, {
        listen,
      });
      using client = await connectTo(port);
      await waitFor("the client to be on its way", () => table.read(0, ACTIVE) === 1);
      // The client's frontend leads elsewhere now, and its pool is others'.
      await fixture.engine.start([frontendOf({ listen, pool: "q" })], () => {
        table.write(0, ELIGIBLE, 0);
        table.write(1, ELIGIBLE, 1);
        fixture.engine.publish("p", { table, endpoints, ...rest });
        fixture.engine.publish("q", planOf([old.address]));
      });
      assertEquals(await receive(client, 1), "o");
      assertEquals((await fixture.nth("connect_failed")).pool, "p");
      const opened = await fixture.nth("opened");
      assertEquals([opened.pool, opened.backend, other.accepted], ["q", old.address, 0]);
    },
  },
  {
    name: "a backend's max_connections sends the next one elsewhere",
    run: async (fixture) => {
      await using pool = await startPool(fixture, {
        a: { free: 9000, maxConnections: 1 },
        b: { free: 1000, maxConnections: 1 },
      }, { kernel: "most_free", queue: { timeoutMs: 0, max: 1 } });
      const { port, plan } = pool;
      using one = await connectTo(port);
      assertEquals(await receive(one, 1), "a");
      using two = await connectTo(port);
      assertEquals(await receive(two, 1), "b");
      using three = await connectTo(port);
      assertEquals((await readAll(three)).length, 0);
      assertEquals((await fixture.nth("refused")).reason, "no_backend");
      one.close();
      await waitFor("a place", () => plan.table.read(0, ACTIVE) === 0);
      using four = await connectTo(port);
      assertEquals(await receive(four, 1), "a");
      assertEquals(plan.table.read(0, TOTAL), 2);
    },
  },
  {
    name: "a backup takes what no other can",
    run: async (fixture) => {
      await using well = new TcpPeer(greetThenEcho("w"));
      await using short = new TcpPeer(greetThenEcho("s"));
      const plan = planOf([
        { address: short.address, free: 9000 },
        { address: well.address, free: 1000, maxConnections: 1 },
        { address: deadAddress(), free: 5000 },
      ], { kernel: "most_free" });
      plan.table.write(0, ELIGIBLE, BACKUP);
      const port = await fixture.listen(plan);
      const visit = async () => {
        const client = await connectTo(port);
        return { client, greeting: await receive(client, 1) };
      };
      const one = await visit();
      using two = (await visit()).client;
      one.client.close();
      await waitFor("a place", () => plan.table.read(1, ACTIVE) === 0);
      const three = await visit();
      three.client.close();
      two.close();
      const opened = [1, 2, 3].map((n) => fixture.nth("opened", n));
      assertEquals((await Promise.all(opened)).map(({ backend }) => backend), [
        well.address,
        short.address,
        well.address,
      ]);
      assertEquals([one.greeting, three.greeting], ["w", "w"]);
    },
  },
  {
    name: "a frontend's max_connections closes the client beyond it",
    run: async (fixture) => {
      await using a = new TcpPeer(greetThenEcho("a"));
      const limit = { maxConnections: 2, whenFull: "close" } as const;
      const port = await fixture.listen(planOf([a.address]), limit);
      using one = await connectTo(port);
      using two = await connectTo(port);
      await receive(one, 1);
      await receive(two, 1);
      using three = await connectTo(port);
      assertEquals((await readAll(three)).length, 0);
      assertEquals((await fixture.nth("refused")).reason, "frontend_full");
      one.close();
      await waitFor(
        "a place",
        () => (fixture.engine.counters().activeByFrontend.get("f") ?? 0) < 2,
      );
      using four = await connectTo(port);
      assertEquals(await receive(four, 1), "a");
    },
  },
  {
    name: "a client that was turned away has given its place back when it hears of it",
    run: async (fixture) => {
      const plan = planOf([{ address: deadAddress(), eligible: false }]);
      const port = await fixture.listen(plan, { maxConnections: 1, whenFull: "close" });
      const clients = 500;
      for (let i = 0; i < clients; i++) {
        using client = await connectTo(port);
        assertEquals((await readAll(client)).length, 0);
      }
      await fixture.nth("refused", clients);
      const reasons = new Set(fixture.of("refused").map(({ reason }) => reason));
      assertEquals([...reasons], ["no_backend"]);
    },
  },
  {
    name: "the log names the address that the backend sees",
    run: async (fixture) => {
      const seen = Promise.withResolvers<Deno.Addr>();
      await using a = new TcpPeer((conn, peer) => {
        seen.resolve(conn.remoteAddr);
        return echo(conn, peer);
      });
      const port = await fixture.listen(planOf([a.address]));
      using client = await connectTo(port);
      const opened = await fixture.nth("opened");
      const { hostname, port: seenPort } = await seen.promise as Deno.NetAddr;
      assertEquals(opened.outgoing, { transport: "tcp", host: hostname, port: seenPort });
      const { localAddr } = client;
      assertEquals(opened.client, {
        transport: "tcp",
        host: localAddr.hostname,
        port: localAddr.port,
      });
      assertEquals(opened.local, { transport: "tcp", host: "127.0.0.1", port });
      assertEquals(opened.backendAddress, { transport: "tcp", host: "127.0.0.1", port: a.port });
    },
  },
  {
    name: "IPv6 and unix sockets on both sides",
    run: async (fixture) => {
      const folder = await Deno.makeTempDir();
      try {
        await using six = new TcpPeer(greetThenEcho("6"), { hostname: "::1" });
        await using unix = new TcpPeer(greetThenEcho("u"), { path: `${folder}/b.sock` });
        fixture.engine.publish("p", planOf([six.address, unix.address]));
        const bound = await fixture.engine.start([
          frontendOf({
            listen: [
              { transport: "tcp", host: "::1", port: 0 },
              { transport: "unix", path: `${folder}/f.sock` },
              { transport: "tcp", host: "", port: 0 },
            ],
          }),
        ]);
        const addresses = bound.get("f") ?? [];
        using viaSix = await Deno.connect({ hostname: "::1", port: portOf(addresses) });
        assertEquals(await receive(viaSix, 1), "6");
        using viaUnix = await Deno.connect({ transport: "unix", path: `${folder}/f.sock` });
        assertEquals(await receive(viaUnix, 1), "u");
        using viaAny = await connectTo(portOf(addresses.slice(2)));
        assertEquals(await receive(viaAny, 1), "6");
        const third = await fixture.nth("opened", 3);
        assert(third.client.transport === "tcp" && third.client.host === "127.0.0.1");
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  },
  {
    name: "a row made ineligible gets no more, and a new plan is used at once",
    run: async (fixture) => {
      await using a = new TcpPeer(greetThenEcho("a"));
      await using b = new TcpPeer(greetThenEcho("b"));
      await using c = new TcpPeer(greetThenEcho("c"));
      const plan = planOf([a.address, b.address]);
      const port = await fixture.listen(plan);
      plan.table.write(0, ELIGIBLE, 0);
      for (let i = 0; i < 3; i++) assertEquals(await greeted(port), "b");
      fixture.engine.publish("p", planOf([c.address]));
      for (let i = 0; i < 3; i++) assertEquals(await greeted(port), "c");
    },
  },
];
