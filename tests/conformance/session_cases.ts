// Engine cases about the sessions that stand: who they are, and ending some of them.

import { assert, assertEquals } from "@std/assert";
import { ACTIVE } from "../../lib/core/pick/pick_table.ts";
import { formatAddress } from "../../lib/core/values/address.ts";
import type { Session } from "../../lib/engine/engine.ts";
import { echo, silent, TcpPeer } from "../peers/tcp_peer.ts";
import { readAll, receive, send } from "../support/bytes.ts";
import { waitFor } from "../support/wait_for.ts";
import type { EngineCase } from "./engine_cases.ts";
import {
  connectTo,
  type EngineFixture,
  frontendOf,
  openDescriptors,
  planOf,
} from "./engine_fixture.ts";

/** A client that has had an echo, and so has a session. */
async function echoed(port: number, text = "x"): Promise<Deno.TcpConn> {
  const client = await connectTo(port);
  await send(client, text);
  assertEquals(await receive(client, text.length), text);
  return client;
}

function sessionOf(fixture: EngineFixture, client: Deno.TcpConn): Session | undefined {
  const from = `127.0.0.1:${client.localAddr.port}`;
  return fixture.engine.sessions().find((session) => formatAddress(session.client) === from);
}

async function numberOf(fixture: EngineFixture, client: Deno.TcpConn): Promise<number> {
  return (await waitFor("the session", () => sessionOf(fixture, client))).tunnel;
}

export const SESSION_CASES: readonly EngineCase[] = [
  {
    name: "sessions are listed with who is where, since when, and what they have moved",
    run: async (fixture) => {
      await using a = new TcpPeer(echo);
      const beganMs = Date.now();
      const port = await fixture.listen(planOf([a.address]));
      assertEquals(fixture.engine.sessions(), []);
      using first = await echoed(port, "hello");
      using second = await echoed(port);
      const opened = await fixture.nth("opened", 2);
      const sessions = await waitFor("all bytes to be counted", () => {
        const listed = fixture.engine.sessions();
        return listed.some(({ bytesToClient }) => bytesToClient === 0) ? undefined : listed;
      });
      assertEquals(sessions.map(({ tunnel }) => tunnel), [1, 2]);
      const [one, two] = sessions;
      assert(one !== undefined && two !== undefined);
      const { openedAtMs, idleMs, ...rest } = one;
      assertEquals(rest, {
        tunnel: 1,
        frontend: "f",
        pool: "p",
        backend: a.address,
        client: { transport: "tcp", host: "127.0.0.1", port: first.localAddr.port },
        outgoing: fixture.of("opened")[0]?.outgoing ?? opened.outgoing,
        bytesToBackend: 5,
        bytesToClient: 5,
      });
      assertEquals(two.outgoing, opened.outgoing);
      assertEquals([two.bytesToBackend, two.bytesToClient], [1, 1]);
      // The two clocks may differ by their rounding.
      assert(openedAtMs >= beganMs - 2 && openedAtMs <= Date.now() + 2, `${openedAtMs}`);
      assert(idleMs >= 0);
      await waitFor("it to be idle", () => (sessionOf(fixture, first)?.idleMs ?? 0) >= 100);
      await send(first, "y");
      await receive(first, 1);
      await waitFor("the byte to be counted", () => sessionOf(fixture, first)?.bytesToClient === 6);
      const since = sessionOf(fixture, first);
      assert(Math.abs((since?.openedAtMs ?? 0) - openedAtMs) <= 2);
      second.close();
      await fixture.nth("closed");
      assertEquals(fixture.engine.sessions().map(({ tunnel }) => tunnel), [1]);
    },
  },
  {
    name: "a session has the names of its configuration, whatever a reload has made of them",
    run: async (fixture) => {
      await using a = new TcpPeer(echo);
      await using b = new TcpPeer(echo);
      const port = await fixture.listen(planOf([a.address]));
      using before = await echoed(port);
      await fixture.engine.start(
        [frontendOf({
          name: "g",
          pool: "q",
          listen: [{ transport: "tcp", host: "::1", port: 0 }],
        })],
        () => {
          fixture.engine.withdraw("p");
          fixture.engine.publish("q", planOf([b.address]));
        },
      );
      const session = sessionOf(fixture, before);
      assertEquals(
        [session?.frontend, session?.pool, session?.backend],
        ["f", "p", a.address],
      );
    },
  },
  {
    name: "sessions that are ended close with the reason, and no other is touched",
    run: async (fixture) => {
      await using a = new TcpPeer(echo);
      const plan = planOf([a.address]);
      const port = await fixture.listen(plan);
      using killed = await echoed(port);
      using stays = await echoed(port);
      using drained = await echoed(port);
      const number = await numberOf(fixture, killed);
      fixture.engine.end([number, 99, -1], "killed");
      assertEquals((await readAll(killed)).length, 0);
      const closed = await fixture.nth("closed");
      assertEquals(
        [closed.tunnel, closed.reason, closed.bytesToBackend, closed.bytesToClient],
        [number, "killed", 1, 1],
      );
      fixture.engine.end([await numberOf(fixture, drained)], "drained");
      assertEquals((await readAll(drained)).length, 0);
      assertEquals((await fixture.nth("closed", 2)).reason, "drained");
      // A number that has ended is nobody's.
      fixture.engine.end([number, closed.tunnel], "killed");
      fixture.engine.end([], "killed");
      await send(stays, "still");
      assertEquals(await receive(stays, 5), "still");
      assertEquals(fixture.engine.sessions().map(({ tunnel }) => tunnel), [
        await numberOf(fixture, stays),
      ]);
      assertEquals([fixture.engine.counters().active, plan.table.read(0, ACTIVE)], [1, 1]);
      assertEquals(fixture.of("closed").length, 2);
      await waitFor("the backend to be told", () => a.open.size === 1);
    },
  },
  {
    name: "a session that is ended in mid-transfer, or after one side has finished, says so too",
    run: async (fixture) => {
      await using deaf = new TcpPeer(silent);
      await using a = new TcpPeer(async (conn) => {
        await send(conn, "bye");
        await conn.closeWrite();
        await conn.read(new Uint8Array(1));
      });
      const plan = planOf([deaf.address, a.address]);
      const port = await fixture.listen(plan);
      // Round the backends: the first client is stuck, the second half finished.
      using stuck = await connectTo(port);
      const chunk = new Uint8Array(65_536);
      let taken = 0;
      const writing = (async () => {
        for (;;) taken += await stuck.write(chunk);
      })().catch(() => {});
      await fixture.nth("opened");
      using half = await connectTo(port);
      assertEquals((await readAll(half)).length, 3);
      const stuckNumber = await numberOf(fixture, stuck);
      let before = -1;
      await waitFor("the transfer to stall", async () => {
        if (taken > 0 && taken === before) return true;
        before = taken;
        await new Promise((resolve) => setTimeout(resolve, 200));
        return false;
      });
      const descriptors = openDescriptors();
      fixture.engine.end([stuckNumber, await numberOf(fixture, half)], "killed");
      await fixture.nth("closed", 2);
      assertEquals(fixture.of("closed").map(({ reason }) => reason), ["killed", "killed"]);
      await writing;
      await fixture.quiet();
      assertEquals([plan.table.read(0, ACTIVE), plan.table.read(1, ACTIVE)], [0, 0]);
      await waitFor("the descriptors to return", () => openDescriptors() < descriptors);
    },
  },
  {
    name: "sessions that are listed while others come and go are whole, and each is ended once",
    run: async (fixture) => {
      await using a = new TcpPeer(echo);
      await using b = new TcpPeer(echo);
      const port = await fixture.listen(planOf([a.address, b.address]));
      let coming = true;
      const seen = new Map<number, Session>();
      const looking = (async () => {
        for (let round = 0; coming; round++) {
          const sessions = fixture.engine.sessions();
          for (const session of sessions) seen.set(session.tunnel, session);
          const one = sessions[round % 7];
          if (one !== undefined) fixture.engine.end([one.tunnel], "killed");
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
      })();
      await Promise.all(Array.from({ length: 8 }, async () => {
        for (let i = 0; i < 100; i++) {
          using client = await connectTo(port);
          try {
            await send(client, "hello");
            await receive(client, 5);
          } catch {
            // Ended, as was asked for.
          }
        }
      }));
      coming = false;
      await looking;
      await fixture.quiet();
      const closed = await waitFor("all records", () => {
        const records = fixture.of("closed");
        return records.length === fixture.engine.counters().opened ? records : undefined;
      });
      assertEquals(new Set(closed.map(({ tunnel }) => tunnel)).size, closed.length);
      assert(seen.size > 0);
      for (const { tunnel, backend, client, outgoing } of seen.values()) {
        const record = closed.find((record) => record.tunnel === tunnel);
        assertEquals(
          { backend, client, outgoing },
          { backend: record?.backend, client: record?.client, outgoing: record?.outgoing },
        );
      }
    },
  },
];
