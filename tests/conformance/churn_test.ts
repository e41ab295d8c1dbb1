// Both engines while everything changes at once: strategies, weights, limits, stickiness and pacing, who
// is eligible and who is reachable, plans that come and go, pools by location, clients that break off,
// and with the splice engine a worker that dies. In the end nothing may be counted that is not there.

import { picksOf } from "../support/events.ts";
import { assertEquals } from "@std/assert";
import { LocationTable } from "../../lib/core/location/location_table.ts";
import { parseNetwork } from "../../lib/core/values/network.ts";
import {
  ACTIVE,
  CLOCK,
  CONNECT_FAILURES,
  ELIGIBLE,
  FRESH,
  MAX_CONNECTIONS,
  NEW_LOGINS,
  PACE_LIMIT,
  PickTable,
  STICKY_SECONDS,
  TOTAL,
  WEIGHT,
  WEIGHTED,
} from "../../lib/core/pick/pick_table.ts";
import type { Engine, Frontend, PoolPlan } from "../../lib/engine/engine.ts";
import { PortableEngine } from "../../lib/engine/portable/portable_engine.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { FAULTY_WORKER_URL, makeSpliceEngine } from "../support/splice_engine.ts";
import { addRow, CHOOSING_KERNELS, numbersFrom, setKernel } from "../support/tables.ts";
import { waitFor } from "../support/wait_for.ts";
import { connectTo, EngineFixture, frontendOf, portOf } from "./engine_fixture.ts";

const FAULT = "COMPUTE_LB_TEST_FAULT";
const POOLS = ["p", "q"] as const;
const ROWS = 8;
const CLIENTS = 12;
const ROUNDS = 60;

const ENGINES: Readonly<Record<string, (lost: () => void) => Engine>> = {
  "portable": () =>
    new PortableEngine({ clock: SYSTEM_CLOCK, random: Math.random, bufferBytes: 65_536 }),
  "splice": () => makeSpliceEngine(),
  "splice, one worker dies": (lost) =>
    makeSpliceEngine({ workerUrl: FAULTY_WORKER_URL, onWorkerLost: lost }),
};

for (const [name, makeEngine] of Object.entries(ENGINES)) {
  Deno.test(`${name}: nothing leaks while everything changes`, async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = numbersFrom(seed);
    const chance = (share: number) => random() < share;
    await using backend = new TcpPeer(echo);
    const gone = new TcpPeer(echo);
    const deadAddress = gone.address;
    await gone[Symbol.asyncDispose]();
    const tables = POOLS.map(() => {
      const table = PickTable.allocate(ROWS, 32, 1024);
      const taken = new Set<number>();
      for (let row = 0; row < ROWS; row++) taken.add(addRow(table, taken, { free: 1000 * row }));
      return table;
    });

    const planOf = (table: PickTable): PoolPlan => ({
      table,
      connectTimeoutMs: 2000,
      connectRetries: 2,
      queue: { timeoutMs: chance(0.5) ? 0 : 20, max: 10 },
      endpoints: Array.from({ length: ROWS }, (_, row) => {
        if (chance(0.1)) return undefined;
        const host = chance(0.2) ? deadAddress : backend.address;
        const [ip = "", port] = host.split(":");
        const address = { transport: "tcp", host: ip, port: Number(port) } as const;
        return { backend: `b${row}`, addresses: chance(0.1) ? [] : [address] };
      }),
    });
    const loopback = parseNetwork("127.0.0.0/8");
    if (!loopback.ok) throw new Error(loopback.message);
    const frontend = (): Frontend => {
      const rule = { networks: [loopback.value], countries: [], pool: chance(0.5) ? 0 : 1 };
      const location = { pools: POOLS, table: LocationTable.compile([rule]) };
      return frontendOf({ maxConnections: chance(0.3) ? 8 : 0, ...(chance(0.7) && { location }) });
    };
    let losses = 0;
    await using fixture = new EngineFixture(makeEngine(() => losses++));
    const { engine } = fixture;
    const change = async (): Promise<void> => {
      for (const [index, table] of tables.entries()) {
        const pool = POOLS[index] ?? "";
        setKernel(
          table,
          CHOOSING_KERNELS[Math.floor(random() * CHOOSING_KERNELS.length)] ?? "rotation",
        );
        Atomics.add(table.words, CLOCK, 1);
        table.words[PACE_LIMIT] = chance(0.5) ? 0 : 2;
        table.words[STICKY_SECONDS] = chance(0.5) ? 0 : 20;
        table.words[WEIGHTED] = chance(0.5) ? 1 : 0;
        for (let row = 0; row < ROWS; row++) {
          table.write(row, ELIGIBLE, chance(0.8) ? 1 : 0);
          table.write(row, MAX_CONNECTIONS, chance(0.5) ? 0 : 1 + Math.floor(3 * random()));
          table.write(row, WEIGHT, chance(0.5) ? 1 : 256_000);
        }
        if (chance(0.05)) engine.withdraw(pool);
        if (chance(0.3)) engine.publish(pool, planOf(table));
      }
      if (chance(0.1)) await engine.start([frontend()]);
    };

    for (const [index, table] of tables.entries()) {
      engine.publish(POOLS[index] ?? "", planOf(table));
    }
    const port = portOf((await engine.start([frontend()])).get("f"));
    const visit = async (): Promise<void> => {
      const bytes = new Uint8Array(100);
      using client = await connectTo(port);
      try {
        for (let left = Math.floor(3 * random()); left > 0; left--) {
          await client.write(bytes);
          if (await client.read(bytes) === null) return;
        }
      } catch {
        // Turned away, or its worker has died.
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, async (_, number) => {
      for (let round = 0; round < ROUNDS; round++) {
        await visit();
        if (chance(0.3)) await change();
        const isTime = number === 0 && round === ROUNDS / 2;
        if (isTime && name.includes("dies")) Deno.env.set(FAULT, "die");
      }
    }));
    if (name.includes("dies")) await waitFor("a worker's death", () => losses === 1);

    const sum = (word: number) =>
      tables.reduce((all, table) => {
        for (let row = 0; row < ROWS; row++) all += Math.abs(table.read(row, word));
        return all;
      }, 0);
    await waitFor(`the last place to be given back (seed ${seed})`, () => sum(ACTIVE) === 0);
    // No time has passed in these tables: who was young has ended.
    await waitFor(`no young connection (seed ${seed})`, () => sum(FRESH) === 0);
    assertEquals(tables.map(({ words }) => words[NEW_LOGINS]), [0, 0], `seed ${seed}`);
    await waitFor(
      `the last client to be forgotten (seed ${seed})`,
      () => engine.counters().activeByFrontend.get("f") === 0,
    );
    // Counted anew each time: who broke off while in the kernel's queue is accepted only then.
    await waitFor(`every end to be told (seed ${seed})`, () => {
      const counters = engine.counters();
      const made = [counters.opened, counters.connectFailures];
      assertEquals(made, [sum(TOTAL), sum(CONNECT_FAILURES)], "opened, connect failures");
      const told = [fixture.of("opened"), fixture.of("closed"), fixture.of("refused")];
      const ends = [counters.opened, counters.opened, counters.refused];
      assertEquals(told.map(({ length }) => length), ends, "opened, closed, refused");
      return true;
    });
    for (const opened of fixture.of("opened")) {
      const chosen = picksOf(opened).at(-1)?.snapshot?.backends[0]?.backend;
      assertEquals(chosen, opened.backend, `seed ${seed}`);
    }
  });
}
