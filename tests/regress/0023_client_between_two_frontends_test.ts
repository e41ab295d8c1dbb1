// A reload gave an address to a frontend whose name had sessions left of an earlier time. Clients accepted at
// that instant went by what that name had been configured as then, to a pool that was no more.

import { assertEquals } from "@std/assert";
import { PortableEngine } from "../../lib/engine/portable/portable_engine.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { connectTo, EngineFixture, frontendOf, planOf } from "../conformance/engine_fixture.ts";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { receive, send } from "../support/bytes.ts";
import { freePort } from "../support/processes.ts";

const RELOADS = 60;
const CLIENTS = 8;

Deno.test("portable: a frontend that comes back goes by its new configuration at once", async () => {
  await using backend = new TcpPeer(echo);
  await using fixture = new EngineFixture(
    new PortableEngine({ clock: SYSTEM_CLOCK, random: Math.random, bufferBytes: 65_536 }),
  );
  const { engine } = fixture;
  const plan = planOf([backend.address]);
  const port = freePort();
  const reload = async (n: number): Promise<void> => {
    const listen = [{ transport: "tcp", host: "127.0.0.1", port } as const];
    engine.publish(`p${n}`, plan);
    await engine.start([frontendOf({ name: `f${n % 2}`, pool: `p${n}`, listen })]);
    engine.withdraw(`p${n - 1}`);
  };
  const clients: Deno.TcpConn[] = [];
  try {
    // One session stays of each name, so that it is kept.
    for (let n = 0; n < 2; n++) {
      await reload(n);
      const client = await connectTo(port);
      clients.push(client);
      await send(client, "x");
      await receive(client, 1);
    }
    for (let n = 2; n < RELOADS; n++) {
      let reloaded: Promise<void> | undefined;
      await Promise.all(Array.from({ length: CLIENTS }, async () => {
        using client = await connectTo(port);
        reloaded ??= reload(n);
        await send(client, "x").catch(() => {});
        assertEquals(await receive(client, 1), "x");
      }));
      await reloaded;
    }
  } finally {
    for (const client of clients) client.close();
  }
  assertEquals(fixture.of("refused"), []);
});
