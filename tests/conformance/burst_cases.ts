// Engine cases about many logins, at once and one after the other, under least_load: the control plane's
// part is done here, in virtual time, so that nothing depends on how fast the machine is.

import { assert, assertEquals } from "@std/assert";
import { FreeCores } from "../../lib/core/estimate/free_cores.ts";
import {
  ACTIVE,
  CONNECT_FAILURES,
  NEW_LOGINS,
  PACE_LIMIT,
  type PickTable,
} from "../../lib/core/pick/pick_table.ts";
import { YoungSteps } from "../../lib/core/pick/young.ts";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { receive } from "../support/bytes.ts";
import { waitFor } from "../support/wait_for.ts";
import type { EngineCase } from "./engine_cases.ts";
import { connectTo, type EngineFixture, greeted, planOf } from "./engine_fixture.ts";
import { deadAddress } from "./placing_cases.ts";
import { viewOf } from "../support/views.ts";

interface Server {
  readonly cores: number;
  readonly load1: number;
}

/** Three servers a, b, c and what the control plane does for them. */
class Site implements AsyncDisposable {
  readonly #peers = ["a", "b", "c"].map((name) => new TcpPeer(greetThenEcho(name)));
  readonly #freeCores = new FreeCores();
  readonly #servers: readonly Server[];
  readonly #steps: YoungSteps;
  readonly table: PickTable;
  readonly port: Promise<number>;

  constructor(fixture: EngineFixture, servers: readonly Server[]) {
    const addresses = this.#peers.map(({ address }) => address);
    const plan = planOf(addresses, { kernel: "most_free" });
    this.#servers = servers;
    this.table = plan.table;
    this.#steps = new YoungSteps(plan.table, 0);
    this.#steps.setWithin(10_000);
    this.advance(0);
    this.port = fixture.listen(plan);
  }

  /** Lets time pass; a sample is taken every two seconds. */
  advance(nowMs: number): void {
    const takenAtMs = nowMs - nowMs % 2000;
    const backends = this.#servers.map((server, row) => ({
      ...{ ...server, row, id: `${row}`, takenAtMs, usable: true },
    }));
    this.#steps.advance(nowMs);
    this.#freeCores.write(viewOf(backends), this.table, nowMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) await peer[Symbol.asyncDispose]();
  }
}

/** Free 22, 11 and 3.7 cores. */
const CLASSROOM = [{ cores: 24, load1: 2 }, { cores: 12, load1: 1 }, { cores: 4, load1: 0.3 }];

function counts(greetings: readonly string[]): number[] {
  return ["a", "b", "c"].map((name) => greetings.filter((one) => one === name).length);
}

/** 30 × 22, 11 and 3.7 / 36.7, within 15 % or one session. */
function assertDealtOut(greetings: readonly string[]): void {
  const got = counts(greetings);
  for (const [index, due] of [18, 9, 3].entries()) {
    assert(Math.abs((got[index] ?? 0) - due) <= Math.max(1, 0.15 * due), `${got}`);
  }
}

export const BURST_CASES: readonly EngineCase[] = [
  {
    name: "30 logins at one instant are dealt out by what is free",
    run: async (fixture) => {
      await using site = new Site(fixture, CLASSROOM);
      const port = await site.port;
      using standing = new DisposableStack();
      assertDealtOut(
        await Promise.all(Array.from({ length: 30 }, async () => {
          const client = standing.use(await connectTo(port));
          return await receive(client, 1);
        })),
      );
      // Nothing that FREE shows is taken by the burst itself.
      site.advance(1000);
      assert(site.table.freeMilliCores(0) > 10_000, `${site.table.freeMilliCores(0)}`);
    },
  },
  {
    name: "30 logins within 30 s are dealt out by what is free",
    run: async (fixture) => {
      await using site = new Site(fixture, CLASSROOM);
      const port = await site.port;
      using standing = new DisposableStack();
      const greetings: string[] = [];
      for (let second = 1; second <= 30; second++) {
        site.advance(1000 * second);
        const client = standing.use(await connectTo(port));
        greetings.push(await receive(client, 1));
      }
      assertDealtOut(greetings);
    },
  },
  {
    name: "short sessions, one after the other, all go to the most free and pace nobody",
    run: async (fixture) => {
      await using site = new Site(fixture, [
        { cores: 16, load1: 0.2 },
        { cores: 8, load1: 6.9 },
        { cores: 4, load1: 3.5 },
      ]);
      site.table.words[PACE_LIMIT] = 8;
      const port = await site.port;
      const greetings: string[] = [];
      for (let i = 0; i < 40; i++) {
        site.advance(300 * i);
        greetings.push(await greeted(port));
        await waitFor("the session's end", () => site.table.read(0, ACTIVE) === 0);
      }
      await fixture.quiet();
      site.advance(12_000);
      assertEquals(counts(greetings), [40, 0, 0]);
      assertEquals(site.table.words[NEW_LOGINS], 0);
      const free = [0, 1, 2].map((row) => Math.round(site.table.freeMilliCores(row) / 100) / 10);
      assertEquals(free.slice(1), [1.1, 0.5]);
      assert(Math.abs((free[0] ?? 0) - 15.8) <= 0.5, `${free}`);
      const paced = fixture.of("opened").filter(({ choice }) => choice.paced);
      assertEquals(paced, []);
    },
  },
  {
    name: "a connect that fails leaves no young connection",
    run: async (fixture) => {
      await using good = new TcpPeer(greetThenEcho("g"));
      const plan = planOf([
        { address: deadAddress(), free: 9000 },
        { address: good.address, free: 1000 },
      ], { kernel: "most_free" });
      plan.table.words[PACE_LIMIT] = 2;
      const port = await fixture.listen(plan);
      for (let i = 0; i < 6; i++) assertEquals(await greeted(port), "g");
      await fixture.quiet();
      assertEquals([plan.table.read(0, CONNECT_FAILURES), plan.table.words[NEW_LOGINS]], [6, 0]);
    },
  },
];
