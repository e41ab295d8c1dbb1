// Engine cases about what kernels are told: weights, and where a client comes from.

import { kernelAt } from "../../lib/core/pick/kernels/registry.ts";
import { assert, assertEquals } from "@std/assert";
import {
  CLOCK,
  ELIGIBLE,
  HASH_BALANCE,
  PACE_LIMIT,
  STICKY_SECONDS,
} from "../../lib/core/pick/pick_table.ts";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { receive } from "../support/bytes.ts";
import { waitFor } from "../support/wait_for.ts";
import type { EngineCase } from "./engine_cases.ts";
import {
  connectTo,
  type EngineFixture,
  frontendOf,
  greeted,
  planOf,
  portOf,
  startPool,
} from "./engine_fixture.ts";

/** Waits until what has ended is counted out. */
async function counted(fixture: EngineFixture): Promise<void> {
  await waitFor("sessions to be counted out", () => fixture.engine.counters().active === 0);
}

export const STRATEGY_CASES: readonly EngineCase[] = [
  {
    name: "round robin goes by weight, as smoothly as can be",
    run: async (fixture) => {
      await using pool = await startPool(fixture, {
        a: { weight: 5 },
        b: { weight: 1 },
        c: { weight: 1 },
      });
      const { port } = pool;
      let order = "";
      for (let i = 0; i < 14; i++) order += await greeted(port);
      assertEquals(order, "aabacaaaabacaa");
    },
  },
  {
    name: "least connections goes by weight",
    run: async (fixture) => {
      await using pool = await startPool(fixture, { a: { weight: 3 }, b: { weight: 1 } }, {
        kernel: "least_connections",
      });
      const { port } = pool;
      const clients: Deno.Conn[] = [];
      let order = "";
      for (let i = 0; i < 8; i++) {
        const client = await connectTo(port);
        clients.push(client);
        order += await receive(client, 1);
      }
      assertEquals([...order].filter((who) => who === "a").length, 6);
      for (const client of clients) client.close();
    },
  },
  {
    name:
      "source_hash: a client lands where it was, whatever its port and the family of the listener",
    run: async (fixture) => {
      const peers = "abcdefgh".split("").map((name) => new TcpPeer(greetThenEcho(name)));
      try {
        const plan = planOf(peers.map(({ address }) => address), { kernel: "source_hash" });
        fixture.engine.publish("p", plan);
        const bound = await fixture.engine.start([
          frontendOf({
            listen: [
              { transport: "tcp", host: "127.0.0.1", port: 0 },
              { transport: "tcp", host: "", port: 0 },
            ],
          }),
        ]);
        const [one, any] = bound.get("f") ?? [];
        const home = await greeted(portOf(one && [one]));
        for (let i = 0; i < 4; i++) assertEquals(await greeted(portOf(one && [one])), home);
        // A dual-stack socket sees the client as ::ffff:127.0.0.1.
        for (let i = 0; i < 4; i++) assertEquals(await greeted(portOf(any && [any])), home);
        // Where 127.0.0.1 goes among these backends by name, both engines must agree.
        assertEquals(fixture.of("opened").every(({ row }) => "abcdefgh"[row] === home), true);
      } finally {
        for (const peer of peers) await peer[Symbol.asyncDispose]();
      }
    },
  },
  {
    name: "source_hash: a client moves on while its backend holds more than its share",
    run: async (fixture) => {
      await using pool = await startPool(fixture, { a: {}, b: {} }, { kernel: "source_hash" });
      const { port, plan } = pool;
      plan.table.words[HASH_BALANCE] = 125;
      const clients: Deno.Conn[] = [];
      const order: string[] = [];
      // All from one address; limits are ceil(1.25 · n / 2) for the n-th: 1, 2, 2, 3, 4, 4, 5, 5.
      for (let i = 0; i < 8; i++) {
        const client = await connectTo(port);
        clients.push(client);
        order.push(await receive(client, 1));
      }
      const home = order[0];
      assertEquals(order.filter((who) => who === home).length, 5);
      assert(order.slice(0, 2).every((who) => who === home), order.join(""));
      for (const client of clients) client.close();
      await counted(fixture);
      assertEquals(await greeted(port), home);
    },
  },
  {
    name: "first fills one backend, then the next",
    run: async (fixture) => {
      await using pool = await startPool(fixture, {
        a: { free: 1000, maxConnections: 2 },
        b: { free: 9000 },
      }, { kernel: "first" });
      const { port } = pool;
      using one = await connectTo(port);
      using two = await connectTo(port);
      using three = await connectTo(port);
      const order = [await receive(one, 1), await receive(two, 1), await receive(three, 1)];
      assertEquals(order.sort(), ["a", "a", "b"]);
    },
  },
  {
    name: "two choices: of two backends the one with more free, and the log names the other",
    run: async (fixture) => {
      await using pool = await startPool(fixture, { a: { free: 4000 }, b: { free: 9000 } }, {
        kernel: "two_choices",
      });
      const { port } = pool;
      for (let i = 0; i < 5; i++) assertEquals(await greeted(port), "b");
      const { choice, endpoints } = await fixture.nth("opened", 5);
      assertEquals(kernelAt(choice.kernel).name, "two_choices");
      assertEquals(endpoints[choice.runnerUp]?.backend, pool.address("a"));
    },
  },
  {
    name: "a client sticks to its backend while it may go there, and the log says so",
    run: async (fixture) => {
      await using pool = await startPool(fixture, { a: {}, b: {}, c: {} }, { stickyEntries: 64 });
      const { port, plan } = pool;
      const { table } = plan;
      table.words[STICKY_SECONDS] = 60;
      let order = "";
      for (let i = 0; i < 3; i++) order += await greeted(port);
      assertEquals(order, "aaa");
      const [first, second] = [await fixture.nth("opened"), await fixture.nth("opened", 2)];
      assertEquals([first.choice.sticky, second.choice.sticky], [false, true]);
      assertEquals(kernelAt(second.choice.kernel).name, "rotation");

      table.write(0, ELIGIBLE, 0);
      assertEquals(await greeted(port), "b");
      table.write(0, ELIGIBLE, 1);
      assertEquals(await greeted(port), "b");

      // The end of a session counts: wait for it before time passes.
      await counted(fixture);
      table.words[CLOCK] = 60;
      assertEquals(await greeted(port), "c");
    },
  },
  {
    name: "a client sticks to its backend while a session of it stands there, however long",
    run: async (fixture) => {
      await using pool = await startPool(fixture, { a: {}, b: {} }, { stickyEntries: 64 });
      const { port, plan } = pool;
      const { table } = plan;
      table.words[STICKY_SECONDS] = 60;
      {
        using standing = await connectTo(port);
        assertEquals(await receive(standing, 1), "a");
        table.words[CLOCK] = 5000;
        assertEquals(await greeted(port), "a");
        await fixture.nth("closed");
        table.words[CLOCK] = 9000;
        assertEquals(await greeted(port), "a");
      }
      await counted(fixture);
      table.words[CLOCK] = 9059;
      assertEquals(await greeted(port), "a");
      await counted(fixture);
      table.words[CLOCK] = 9059 + 60;
      assertEquals(await greeted(port), "b");
    },
  },
  {
    name: "a client that stuck to a backend that is gone is placed anew, at once",
    run: async (fixture) => {
      await using good = new TcpPeer(greetThenEcho("g"));
      const dying = new TcpPeer(greetThenEcho("d"));
      const plan = planOf([dying.address, good.address], { stickyEntries: 64 });
      plan.table.words[STICKY_SECONDS] = 60;
      const port = await fixture.listen(plan);
      assertEquals(await greeted(port), "d");
      await dying[Symbol.asyncDispose]();
      assertEquals(await greeted(port), "g");
      // While a session's end is written, a thread may see no entry, which costs its client the place.
      await counted(fixture);
      assertEquals(await greeted(port), "g");
      const third = await fixture.nth("opened", 3);
      assertEquals([third.choice.sticky, third.attempts], [true, 1]);
    },
  },
  {
    name: "a burst is paced: others first, then the fewest; nobody is refused, and the log says so",
    run: async (fixture) => {
      await using pool = await startPool(fixture, { a: { free: 90_000 }, b: { free: 1000 } }, {
        kernel: "most_free",
      });
      const { port, plan } = pool;
      const { table } = plan;
      table.words[PACE_LIMIT] = 3;
      using standing = new DisposableStack();
      let order = "";
      for (let i = 0; i < 9; i++) {
        const client = standing.use(await connectTo(port));
        order += await receive(client, 1);
      }
      // The limit; the other one up to the limit; both are at it now, so the fewest.
      assertEquals(order, "aaabbbaba");
      const paced = await Promise.all(
        [3, 4, 7, 8].map(async (n) => (await fixture.nth("opened", n)).choice.paced),
      );
      assertEquals(paced, [false, true, false, true]);
      // Those that have ended pace nobody.
      standing.dispose();
      await fixture.quiet();
      assertEquals(await greeted(port), "a");
    },
  },
];
