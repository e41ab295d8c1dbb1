// Engine cases about pools that are fed: each client goes where the next token says.

import { assert, assertEquals } from "@std/assert";
import { queuedIn } from "../../lib/core/dial/pool_queue.ts";
import {
  ACTIVE,
  ELIGIBLE,
  MOST_TOKENS,
  TOKENS_DISCARDED,
  TOKENS_STARVED,
} from "../../lib/core/pick/pick_table.ts";
import { kernelAt } from "../../lib/core/pick/kernels/registry.ts";
import { putToken, tokensIn } from "../../lib/core/pick/tokens.ts";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { readAll, receive } from "../support/bytes.ts";
import { waitFor } from "../support/wait_for.ts";
import type { EngineCase } from "./engine_cases.ts";
import { connectTo, greeted, planOf, startPool } from "./engine_fixture.ts";
import { deadPort } from "./placing_cases.ts";

const FED = { kernel: "token" } as const;

export const TOKEN_CASES: readonly EngineCase[] = [
  {
    name: "each client goes where its token says, and the log says so",
    run: async (fixture) => {
      await using pool = await startPool(fixture, { a: {}, b: {}, c: {} }, FED);
      const { port, plan: { table } } = pool;
      for (const row of [2, 0, 2, 1]) putToken(table, row);
      let order = "";
      for (let i = 0; i < 4; i++) order += await greeted(port);
      assertEquals(order, "cacb");
      const first = await fixture.nth("opened");
      assertEquals(kernelAt(first.choice.kernel).name, "token");
      const [pick] = first.store.chain(first.lastPick);
      assertEquals(pick?.snapshot?.why, "token");
      assertEquals(pick?.snapshot?.backends.map(({ outcome }) => outcome), [
        "chosen",
        "other_token",
        "other_token",
      ]);
    },
  },
  {
    name: "every token is used once, however many come at the same time",
    run: async (fixture) => {
      await using pool = await startPool(fixture, { a: {}, b: {}, c: {}, d: {} }, FED);
      const { port, plan: { table } } = pool;
      const clients = 200;
      const greetings = Promise.all(Array.from({ length: clients }, () => greeted(port)));
      const put = [0, 0, 0, 0];
      for (let sent = 0; sent < clients;) {
        const row = (sent * 3) % 4;
        if (putToken(table, row)) {
          put[row]!++;
          sent++;
        } else {
          await waitFor("room for a token", () => tokensIn(table) < MOST_TOKENS);
        }
      }
      const counts = [0, 0, 0, 0];
      for (const who of await greetings) counts["abcd".indexOf(who)]!++;
      assertEquals(counts, put);
      await fixture.quiet();
      assertEquals([tokensIn(table), table.words[TOKENS_DISCARDED]], [0, 0]);
      assertEquals([0, 1, 2, 3].map((row) => table.read(row, ACTIVE)), [0, 0, 0, 0]);
    },
  },
  {
    name: "a client waits for a token, and is refused when none has come in time",
    run: async (fixture) => {
      await using pool = await startPool(fixture, { a: {} }, {
        ...FED,
        queue: { timeoutMs: 300, max: 10 },
      });
      const { port, plan: { table } } = pool;
      using late = await connectTo(port);
      assertEquals((await readAll(late)).length, 0);
      const refused = await fixture.nth("refused");
      assertEquals([refused.reason, refused.attempts], ["starved", 0]);
      assert(refused.queueMs >= 300);
      assertEquals([queuedIn(table), table.words[TOKENS_STARVED]], [0, 1]);
      using patient = await connectTo(port);
      await waitFor("the client to wait", () => queuedIn(table) === 1);
      putToken(table, 0);
      assertEquals(await receive(patient, 1), "a");
    },
  },
  {
    name: "where nobody may wait, a client without a token is refused at once",
    run: async (fixture) => {
      const plan = planOf([], { ...FED, queue: { timeoutMs: 0, max: 10 } });
      const port = await fixture.listen(plan);
      using client = await connectTo(port);
      assertEquals((await readAll(client)).length, 0);
      assertEquals((await fixture.nth("refused")).reason, "starved");
    },
  },
  {
    name: "tokens of backends that drain are passed over",
    run: async (fixture) => {
      await using pool = await startPool(fixture, { a: {}, b: { eligible: false } }, FED);
      const { port, plan: { table } } = pool;
      for (const row of [1, 1, 0, 1, 0]) putToken(table, row);
      assertEquals(await greeted(port) + await greeted(port), "aa");
      assertEquals([tokensIn(table), table.words[TOKENS_DISCARDED]], [0, 3]);
      table.write(1, ELIGIBLE, 1);
      putToken(table, 1);
      assertEquals(await greeted(port), "b");
    },
  },
  {
    name: "a backend that does not answer costs its token, and the client takes the next",
    run: async (fixture) => {
      await using good = new TcpPeer(echo);
      const plan = planOf([`127.0.0.1:${deadPort()}`, good.address], FED);
      const { table } = plan;
      const port = await fixture.listen(plan);
      // The second token of the dead one is of no use to who has just tried it.
      for (const row of [0, 0, 1]) putToken(table, row);
      using _client = await connectTo(port);
      const opened = await fixture.nth("opened");
      assertEquals([opened.row, opened.attempts], [1, 2]);
      assertEquals([tokensIn(table), table.words[TOKENS_DISCARDED]], [0, 1]);
      assertEquals(table.read(0, ACTIVE), 0);
      // Nobody else's: a client that has tried in vain waits for another token, too.
      putToken(table, 0);
      using second = await connectTo(port);
      await waitFor("the client to wait", () => queuedIn(table) === 1);
      putToken(table, 1);
      await fixture.nth("opened", 2);
      second.close();
    },
  },
];
