// Each pool that a reload brought got a table of its own, two megabytes of shared memory. When the pool went,
// the table was garbage that nobody collected: V8 does not count shared memory, and workers make no other
// garbage. A process that was reloaded often grew by hundreds of megabytes.

import { assert, assertEquals } from "@std/assert";
import { App } from "../../lib/app.ts";
import { NO_LOCATIONS } from "../../lib/app/locations.ts";
import { makeLogs } from "../../lib/app/parts.ts";
import type { Config } from "../../lib/config/config.ts";
import { readConfig } from "../../lib/config/read_config.ts";
import { PickTable } from "../../lib/core/pick/pick_table.ts";
import type { Engine } from "../../lib/engine/engine.ts";
import { PortableEngine } from "../../lib/engine/portable/portable_engine.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { connectTo, portOf } from "../conformance/engine_fixture.ts";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { receive, send } from "../support/bytes.ts";
import { makeSpliceEngine } from "../support/splice_engine.ts";

const RELOADS = 60;
/** One of the pool that stays, one held by a session, the others in use or about to be given back. */
const MOST_TABLES = 8;

const makers: readonly [string, () => Engine][] = [
  ["splice", makeSpliceEngine],
  [
    "portable",
    () => new PortableEngine({ clock: SYSTEM_CLOCK, random: Math.random, bufferBytes: 65_536 }),
  ],
];

for (const [name, makeEngine] of makers) {
  Deno.test(`${name}: pools that come take the tables of those that have gone`, async () => {
    await using backend = new TcpPeer(echo);
    const nowhere = { write: (bytes: Uint8Array) => Promise.resolve(bytes.length) };
    await using logs = makeLogs(nowhere, nowhere, false, SYSTEM_CLOCK);
    const engine = makeEngine();
    let tables = 0;
    const { allocate } = PickTable;
    PickTable.allocate = (...size) => {
      tables++;
      return allocate.apply(PickTable, size);
    };
    try {
      const first = configOf(backend.address, 0);
      await logs.configure(first.log);
      await using app = new App(first, NO_LOCATIONS, {
        clock: SYSTEM_CLOCK,
        random: Math.random,
        log: logs.log,
        access: logs.access,
        engine,
        engineReason: "",
        createLoadSource: () => undefined,
      });
      await app.start();
      const exchange = async (client: Deno.Conn, text: string) => {
        await send(client, text);
        assertEquals(await receive(client, text.length), text);
      };
      // A session of a pool that goes keeps its table, and its place there.
      using stays = await connectTo(portOf(app.bound.get("f")));
      await exchange(stays, "first");
      for (let n = 1; n <= RELOADS; n++) {
        const reloaded = await app.reload(configOf(backend.address, n), NO_LOCATIONS);
        assert(reloaded.ok);
        using client = await connectTo(portOf(app.bound.get("f")));
        await exchange(client, `session ${n}`);
      }
      await exchange(stays, "last");
      assert(tables <= MOST_TABLES, `${tables} tables for two pools at a time`);
    } finally {
      PickTable.allocate = allocate;
    }
  });
}

/** The frontend's pool is another at every reload. */
function configOf(backend: string, n: number): Config {
  const pool = { backends: [backend], load: { source: "none" }, health: { probe: "none" } };
  const text = JSON.stringify({
    frontends: { f: { listen: "127.0.0.1:0", pool: `p${n}` } },
    pools: { [`p${n}`]: pool },
  });
  const read = readConfig({ file: { path: "lb.conf", text }, overrides: {} });
  if (!read.ok) throw new Error(JSON.stringify(read.errors));
  return read.config;
}
