// The program's strategies in the simulator, seen from beside: who asked, where the session went.

import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { BASELINES } from "../../../support/simulation/baselines.ts";
import { Chance, mix32 } from "../../../support/chance.ts";
import { clientOf, POPULATION } from "../../../support/simulation/clients.ts";
import { ClusterSimulation } from "../../../support/simulation/cluster.ts";
import { first, leastLoad, sourceHash } from "../../../support/simulation/own_placers.ts";
import type { PlacerMaker } from "../../../support/simulation/placer.ts";
import { type Cell, CORES, scenarioOf } from "../../../bench/placement/scenarios.ts";

interface Placed {
  readonly client: number;
  readonly server: number;
  /** Threads that ran by server, before this session did anything. */
  readonly running: readonly number[];
}

/** Runs one hour of a cell and tells every placement of it. */
function placements(cell: Cell, make: PlacerMaker, seed = 1): Placed[] {
  const all: Placed[] = [];
  new ClusterSimulation(scenarioOf(cell, seed, 1), (context) => {
    const placer = make(context);
    return {
      place: (now, client) => {
        const running = context.cores.map((_, server) => context.running(server));
        const server = placer.place(now, client, 0);
        all.push({ client, server, running });
        return server;
      },
      ended: (server, now, placedAt) => placer.ended(server, now, placedAt),
      sampled: (server, load1, now, cpuPressure) => placer.sampled(server, load1, now, cpuPressure),
      admitted: (server, isIn, now) => placer.admitted(server, isIn, now),
    };
  }, seed).run();
  return all;
}

const QUIET: Cell = { workload: "one_job", utilisation: 0.3, pollSeconds: 10 };

Deno.test("the k-th busiest client comes in proportion to about 1 / k", () => {
  const chance = new Chance(5);
  const counts = new Array<number>(POPULATION).fill(0);
  const sessions = 200_000;
  for (let i = 0; i < sessions; i++) {
    const client = clientOf(mix32(chance.below(0x1_0000_0000)));
    assert(Number.isInteger(client) && client >= 0 && client < POPULATION, `client ${client}`);
    counts[client] = (counts[client] ?? 0) + 1;
  }
  for (const k of [1, 2, 3, 10, 30]) {
    const expected = sessions * Math.log(1 + 1 / k) / Math.log(POPULATION + 1);
    // Four standard deviations of a Poisson number.
    assertAlmostEquals(counts[k - 1] ?? NaN, expected, 4 * Math.sqrt(expected));
  }
});

Deno.test("every strategy meets the same clients, and a class is as many as come", () => {
  const cell: Cell = { ...QUIET, workload: "interactive", classStart: true };
  const clients = (make: PlacerMaker) => placements(cell, make).map(({ client }) => client);
  const met = clients(BASELINES.oracle);
  assertEquals(clients(leastLoad()), met);
  assertEquals(clients(sourceHash()), met);
  const pupils = met.filter((client) => client >= POPULATION);
  assertEquals(new Set(pupils).size, 30);
  const others = met.filter((client) => client < POPULATION);
  assert(new Set(others).size < others.length, "somebody comes back");
});

Deno.test("short sessions are the share of all that was asked for, and change no job's size", () => {
  const hour = (short: number) =>
    new ClusterSimulation(
      scenarioOf({ ...QUIET, short }, 1, 1),
      BASELINES.oracle,
      1,
    ).run();
  for (const short of [0.1, 0.5, 0.9]) {
    const all = placements({ ...QUIET, short }, BASELINES.oracle).length;
    const long = placements(QUIET, BASELINES.oracle).length;
    // Trains of 20: as far off as a twentieth of as many single sessions would be.
    assertAlmostEquals(1 - long / all, short, 0.06, `${short}`);
    assertAlmostEquals(hour(short).utilisation, hour(0).utilisation, 0.08);
  }
});

Deno.test("a class that logs in at one instant comes at one instant", () => {
  const cell: Cell = { ...QUIET, workload: "interactive", classStart: true, classSeconds: 0 };
  const outcome = new ClusterSimulation(scenarioOf(cell, 1, 1), BASELINES.oracle, 1).run();
  assertEquals(outcome.classSessions.reduce((sum, sessions) => sum + sessions, 0), 30);
  // Nothing runs yet when the last one comes, so who sees only what runs sends all to one server.
  assertEquals(outcome.largestShare, 1);
  assertAlmostEquals(outcome.misplacedShare, 1 - outcome.fairShare, 1e-9);
});

Deno.test("first leaves a server alone while one before it has room", () => {
  const placed = placements(QUIET, first());
  const used = CORES.map((_, index) => placed.filter(({ server }) => server === index).length);
  // 36 cores of 120 are busy: those of the first four servers hold 32.
  assert(CORES.every((_, index) => index > 4 || (used[index] ?? 0) > 0), `${used}`);
  assertEquals(used.slice(6), [0, 0]);
  const early = placed.filter(({ server, running }) =>
    running.some((threads, before) => before < server && threads < (CORES[before] ?? 0) - 4)
  );
  assertEquals(early, []);
});

Deno.test("source_hash sends who comes back to one server, or mostly where none may hold too much", () => {
  /** Share of sessions that go where most of their client's go, of clients that come often. */
  const home = (make: PlacerMaker) => {
    const servers = new Map<number, number[]>();
    for (const { client, server } of placements(QUIET, make)) {
      servers.set(client, [...servers.get(client) ?? [], server]);
    }
    const often = [...servers.values()].filter(({ length }) => length >= 10);
    assert(often.length > 20);
    const atHome = often.flatMap((each) => each.filter((server) => server === commonest(each)));
    return atHome.length / often.flat().length;
  };
  assertEquals(home(sourceHash({ balance: 0 })), 1);
  assert(home(sourceHash()) > 0.6);
  assert(home(BASELINES.random) < 0.3);
});

Deno.test("source_hash gives servers their share by cores only where weights say so", () => {
  const shares = (weighted: boolean) => {
    const placed = placements(QUIET, sourceHash({ weighted }));
    return CORES.map((_, index) =>
      placed.filter(({ server }) => server === index).length / placed.length
    );
  };
  const total = CORES.reduce((sum, cores) => sum + cores, 0);
  const weighted = shares(true);
  const equal = shares(false);
  // What a server holds is bounded; what it is given follows only roughly.
  CORES.forEach((cores, index) => {
    assertAlmostEquals(weighted[index] ?? NaN, cores / total, 0.06);
    assertAlmostEquals(equal[index] ?? NaN, 1 / CORES.length, 0.06);
  });
});

function commonest(servers: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const server of servers) counts.set(server, (counts.get(server) ?? 0) + 1);
  return [...counts].reduce((best, one) => one[1] > best[1] ? one : best)[0];
}
