// Engine cases about clients that are refused, and what they read of it.

import { assert, assertEquals } from "@std/assert";
import type { Frontend, RefusalText } from "../../lib/engine/engine.ts";
import { echo, greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { pseudoRandomBytes, readAll, receive, send, writeAll } from "../support/bytes.ts";
import { connectResettable } from "../support/reset.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { waitFor, within } from "../support/wait_for.ts";
import type { EngineCase } from "./engine_cases.ts";
import {
  connectTo,
  type EngineFixture,
  frontendOf,
  openDescriptors,
  planOf,
} from "./engine_fixture.ts";

const NOBODY = "nobody can take you: come again\r\n";
const FULL = "full: come again\r\n";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

const TEXT: RefusalText = new Map([
  ["no_backend", encode(NOBODY)],
  ["connect_failed", encode("it does not answer\r\n")],
  ["frontend_full", encode(FULL)],
]);

/** Listens for a pool without a backend that could be used. */
function refusing(fixture: EngineFixture, settings: Partial<Frontend> = {}): Promise<number> {
  const nobody = planOf([{ address: "127.0.0.1:1", eligible: false }]);
  return fixture.listen(nobody, { refusalText: TEXT, ...settings });
}

/** What a client reads to the end. */
async function told(port: number): Promise<string> {
  using client = await connectTo(port);
  return decode(await readAll(client));
}

/** Waits until what was held for refused clients is given back. */
function descriptorsReturn(before: number): Promise<true> {
  return waitFor("the descriptors to return", () => openDescriptors() <= before || undefined);
}

export const REFUSAL_CASES: readonly EngineCase[] = [
  {
    name: "a refused client reads why and then the end, and others that nothing is said to the end",
    run: async (fixture) => {
      const port = await refusing(fixture);
      assertEquals(await told(port), NOBODY);
      const refused = await fixture.nth("refused");
      assertEquals([refused.frontend, refused.pool, refused.reason], ["f", "p", "no_backend"]);
      const { active, activeByFrontend, refused: count } = fixture.engine.counters();
      assertEquals([active, activeByFrontend.get("f"), count], [0, 0, 1]);
      // A reload changes it for whoever comes then.
      await refusing(fixture, { refusalText: new Map([["frontend_full", encode(FULL)]]) });
      assertEquals(await told(await refusing(fixture, { refusalText: new Map() })), "");
    },
  },
  {
    name: "a client whose backend does not answer reads that",
    run: async (fixture) => {
      const port = await fixture.listen(planOf(["127.0.0.1:1"], { retries: 0 }), {
        refusalText: TEXT,
      });
      assertEquals(await told(port), "it does not answer\r\n");
      assertEquals((await fixture.nth("refused")).reason, "connect_failed");
    },
  },
  {
    name: "a refused client that speaks first, as ssh does, still reads why",
    run: async (fixture) => {
      const port = await refusing(fixture);
      const keys = pseudoRandomBytes(1500, 1);
      for (let i = 0; i < 50; i++) {
        using client = await connectTo(port);
        await send(client, "SSH-2.0-client\r\n");
        assertEquals(await receive(client, 6), NOBODY.slice(0, 6));
        // A reset would be found here, and the rest not be read.
        await writeAll(client, keys);
        await writeAll(client, keys);
        assertEquals(decode(await readAll(client)), NOBODY.slice(6));
      }
      assertEquals(fixture.engine.counters().refused, 50);
    },
  },
  {
    name: "a refused client that has sent its end, or resets, is let go of at once",
    run: async (fixture) => {
      const port = await refusing(fixture);
      assertEquals(await told(port), NOBODY);
      const before = openDescriptors();
      {
        using client = await connectTo(port);
        await client.closeWrite();
        assertEquals(decode(await readAll(client)), NOBODY);
      }
      for (let i = 0; i < 20; i++) await (await connectResettable(port)).reset();
      await descriptorsReturn(before);
    },
  },
  {
    name: "a refused client on a unix socket reads why",
    run: async (fixture) => {
      await using folder = new TemporaryDirectory();
      const path = `${folder.path}/f.sock`;
      fixture.engine.publish("p", planOf([]));
      await fixture.engine.start([
        frontendOf({ listen: [{ transport: "unix", path }], refusalText: TEXT }),
      ]);
      using client = await Deno.connect({ transport: "unix", path });
      await send(client, "hello").catch(() => {});
      assertEquals(decode(await readAll(client)), NOBODY);
    },
  },
  {
    name: "a refused client that does not close is closed, and holds no place until then",
    run: async (fixture) => {
      await using a = new TcpPeer(greetThenEcho("a"));
      const port = await fixture.listen(planOf([a.address]), {
        maxConnections: 1,
        whenFull: "close",
        refusalText: TEXT,
      });
      using first = await connectTo(port);
      assertEquals(await receive(first, 1), "a");
      const before = openDescriptors();
      using stays = await connectTo(port);
      assertEquals(decode(await readAll(stays)), FULL);
      assertEquals((await fixture.nth("refused")).reason, "frontend_full");
      assertEquals(fixture.engine.counters().activeByFrontend.get("f"), 1);
      assertEquals(fixture.engine.counters().active, 1);
      first.close();
      await fixture.quiet();
      await waitFor(
        "the place to be free",
        () => fixture.engine.counters().activeByFrontend.get("f") === 0,
      );
      using next = await connectTo(port);
      assertEquals(await receive(next, 1), "a");
      // The client's own descriptor stands for one of those that the first session has left.
      await waitFor("its socket to be closed", async () => {
        try {
          await send(stays, "x");
          return false;
        } catch {
          return true;
        }
      });
      await waitFor("the descriptors to return", () => openDescriptors() <= before + 1);
    },
  },
  {
    name: "a refused client that floods is closed",
    run: async (fixture) => {
      const port = await refusing(fixture);
      using client = await connectTo(port);
      const chunk = new Uint8Array(65_536);
      const flood = (async () => {
        for (;;) await writeAll(client, chunk);
      })();
      const error = await within("the end of the flood", flood.catch((error: unknown) => error));
      assert(error instanceof Error);
      assertEquals(fixture.engine.counters().active, 0);
    },
  },
  {
    name: "1500 refused clients that do not close take few descriptors, and sessions go on",
    run: async (fixture) => {
      await using a = new TcpPeer(echo);
      const port = await fixture.listen(planOf([a.address]), {
        maxConnections: 1,
        whenFull: "close",
        refusalText: TEXT,
      });
      using session = await connectTo(port);
      await send(session, "x");
      await receive(session, 1);
      const before = openDescriptors();
      const clients: Deno.TcpConn[] = [];
      try {
        for (let i = 0; i < 1500; i += 50) {
          clients.push(...await Promise.all(Array.from({ length: 50 }, () => connectTo(port))));
        }
        await waitFor("all to be refused", () => fixture.engine.counters().refused === 1500);
        // Two workers keep 256 each, besides the clients' own sockets.
        const held = openDescriptors() - before - clients.length;
        assert(held <= 512, `${held} descriptors are held for refused clients`);
        await send(session, "still");
        assertEquals(await receive(session, 5), "still");
        assertEquals(fixture.engine.counters().active, 1);
        await descriptorsReturn(before + clients.length);
        // There is room again.
        assertEquals(await told(port), FULL);
      } finally {
        for (const client of clients) client.close();
      }
    },
  },
  {
    name: "a refused client that lingers holds up neither a reload nor a drain",
    run: async (fixture) => {
      const port = await refusing(fixture);
      using client = await connectTo(port);
      assertEquals(await receive(client, NOBODY.length), NOBODY);
      await within("the reload", fixture.engine.start([frontendOf({ name: "g" })]));
      await within("the drain", fixture.engine.drain(new AbortController().signal));
    },
  },
];
