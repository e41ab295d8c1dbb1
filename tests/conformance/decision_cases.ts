// Engine cases about explanations: what a pick saw, and what became of every attempt.

import { picksOf } from "../support/events.ts";
import { assert, assertEquals } from "@std/assert";
import type { Snapshot } from "../../lib/core/pick/snapshot_reader.ts";
import { ACTIVE, ELIGIBLE, NEARLY_EQUAL, STANDING } from "../../lib/core/pick/pick_table.ts";
import { STANDINGS } from "../../lib/core/pool/standing.ts";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { readAll, receive } from "../support/bytes.ts";
import { waitFor } from "../support/wait_for.ts";
import type { EngineCase } from "./engine_cases.ts";
import { connectTo, planOf } from "./engine_fixture.ts";
import { deadAddress } from "./placing_cases.ts";
import { setKernel } from "../support/tables.ts";

function outcomes(snapshot: Snapshot | undefined): [string, string][] {
  return snapshot?.backends.map(({ backend, outcome }) => [backend, outcome]) ?? [];
}

export const DECISION_CASES: readonly EngineCase[] = [
  {
    name: "a decision shows every backend as the pick saw it, and why it lost",
    run: async (fixture) => {
      await using a = new TcpPeer(greetThenEcho("a"));
      const [less, full, down, aside] = [1, 2, 3, 4].map(deadAddress);
      const plan = planOf([
        { address: less ?? "", free: 4000 },
        { address: a.address, free: 9000 },
        { address: full ?? "", free: 90_000, maxConnections: 2 },
        { address: down ?? "", free: 80_000 },
        { address: aside ?? "", free: 70_000 },
      ], { kernel: "most_free" });
      const { table } = plan;
      table.write(0, ACTIVE, 3);
      table.write(2, ACTIVE, 2);
      table.write(3, ELIGIBLE, 0);
      table.write(3, STANDING, STANDINGS.indexOf("down"));
      table.write(4, ELIGIBLE, 0);
      const port = await fixture.listen(plan);
      const before = Date.now();
      using client = await connectTo(port);
      assertEquals(await receive(client, 1), "a");
      const opened = await fixture.nth("opened");
      const { atMs } = opened;
      const [pick, ...others] = picksOf(opened);
      assertEquals(others, []);
      assert(pick !== undefined && pick.atMs >= before - 1 && pick.atMs <= atMs);
      const { draw = -1, ...snapshot } = pick.snapshot ?? {};
      assert(draw >= 0 && draw < 1);
      assertEquals(snapshot, {
        kernel: "most_free",
        why: "most_free",
        nearlyEqual: 0,
        omitted: 0,
        backends: [
          {
            backend: a.address,
            outcome: "chosen",
            freeMilliCores: 9000,
            active: 0,
            score: 9000,
          },
          {
            backend: less ?? "",
            outcome: "less_free",
            freeMilliCores: 4000,
            active: 3,
            score: 4000,
          },
          { backend: full ?? "", outcome: "full", freeMilliCores: 90_000, active: 2 },
          { backend: down ?? "", outcome: "down", freeMilliCores: 80_000, active: 0 },
          { backend: aside ?? "", outcome: "set_aside", freeMilliCores: 70_000, active: 0 },
        ],
      });
    },
  },
  {
    name: "a decision shows every attempt, and what the next pick left out",
    run: async (fixture) => {
      await using good = new TcpPeer(greetThenEcho("g"));
      const dead = deadAddress();
      const plan = planOf([
        { address: good.address, free: 1000 },
        { address: dead, free: 5000 },
      ], { kernel: "most_free" });
      const port = await fixture.listen(plan);
      using client = await connectTo(port);
      assertEquals(await receive(client, 1), "g");
      const picks = picksOf(await fixture.nth("opened"));
      assertEquals(picks.map(({ failure }) => failure), ["refused", undefined]);
      const [first, second] = picks;
      assertEquals(outcomes(first?.snapshot), [[dead, "chosen"], [good.address, "less_free"]]);
      assertEquals(outcomes(second?.snapshot), [[good.address, "chosen"], [dead, "tried"]]);
      assertEquals([first?.snapshot?.why, second?.snapshot?.why], ["most_free", "only_one"]);
    },
  },
  {
    name: "a client that nobody takes is told why of each backend",
    run: async (fixture) => {
      const plan = planOf([deadAddress(), deadAddress()], { kernel: "least_connections" });
      const names = plan.endpoints.map((endpoint) => endpoint?.backend ?? "");
      plan.table.write(1, ELIGIBLE, 0);
      plan.table.write(1, STANDING, STANDINGS.indexOf("draining"));
      const port = await fixture.listen(plan);
      using client = await connectTo(port);
      assertEquals((await readAll(client)).length, 0);
      const refused = await fixture.nth("refused");
      assertEquals(refused.reason, "connect_failed");
      assertEquals(picksOf(refused).map(({ failure }) => failure), ["refused", undefined]);
      const [, last] = picksOf(refused);
      assertEquals(last?.snapshot?.why, "nobody");
      assertEquals(outcomes(last?.snapshot), [[names[0], "tried"], [names[1], "draining"]]);
    },
  },
  {
    name: "near-equals and turns are told as such",
    run: async (fixture) => {
      await using a = new TcpPeer(greetThenEcho("x"));
      await using b = new TcpPeer(greetThenEcho("x"));
      const plan = planOf([
        { address: a.address, free: 9000 },
        { address: b.address, free: 8990 },
        { address: deadAddress(), free: 8000 },
      ], { kernel: "most_free" });
      plan.table.words[NEARLY_EQUAL] = 50;
      const port = await fixture.listen(plan);
      using one = await connectTo(port);
      await receive(one, 1);
      const near = picksOf(await fixture.nth("opened"))[0]?.snapshot;
      assertEquals(near?.why, "near_equal");
      assertEquals(near?.backends.map(({ outcome }) => outcome), [
        "chosen",
        "near_equal",
        "less_free",
      ]);
      setKernel(plan.table, "rotation");
      plan.table.write(2, ELIGIBLE, 0);
      using two = await connectTo(port);
      await receive(two, 1);
      const turn = picksOf(await fixture.nth("opened", 2))[0]?.snapshot;
      assertEquals(turn?.why, "turn");
      assertEquals(turn?.backends[1]?.outcome, "not_its_turn");
    },
  },
  {
    name: "each connection has its own picks, however many come and go",
    run: async (fixture) => {
      await using a = new TcpPeer(greetThenEcho("x"));
      const plan = planOf([deadAddress(), a.address]);
      const port = await fixture.listen(plan, { maxConnections: 3, whenFull: "close" });
      for (let i = 0; i < 30; i++) {
        using client = await connectTo(port);
        await receive(client, 1);
        client.close();
        await waitFor("its end", () => fixture.engine.counters().activeByFrontend.get("f") === 0);
      }
      await fixture.nth("opened", 30);
      for (const opened of fixture.of("opened")) {
        assertEquals(picksOf(opened).length, opened.attempts);
      }
      const clients = await Promise.all([1, 2, 3, 4].map(() => connectTo(port)));
      const full = await fixture.nth("refused");
      assertEquals([full.reason, picksOf(full)], ["frontend_full", []]);
      for (const client of clients) client.close();
    },
  },
  {
    name: "of very many backends a decision shows 32 and counts the others",
    run: async (fixture) => {
      await using a = new TcpPeer(greetThenEcho("x"));
      const others = Array.from({ length: 49 }, (_, index) => `127.0.0.1:${index + 1}`);
      const plan = planOf([
        ...others.map((address) => ({ address, eligible: false })),
        { address: a.address, free: 5 },
      ], { kernel: "most_free" });
      const port = await fixture.listen(plan);
      using client = await connectTo(port);
      await receive(client, 1);
      const snapshot = picksOf(await fixture.nth("opened"))[0]?.snapshot;
      assertEquals([snapshot?.backends.length, snapshot?.omitted], [32, 18]);
      assertEquals(snapshot?.backends[0]?.backend, a.address);
    },
  },
];
