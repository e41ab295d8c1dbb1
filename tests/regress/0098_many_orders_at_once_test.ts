// Of 200 orders that came at once 32 were answered: each newcomer took the place of whoever had waited longest,
// though that one was only waiting for its turn. Nobody could tell which orders were carried out.

import { assertEquals } from "@std/assert";
import { listenAt } from "../../lib/admin/listen.ts";
import { AdminServer } from "../../lib/admin/server.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { readAll } from "../support/bytes.ts";
import { NO_REPORTS } from "../support/no_reports.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { within } from "../support/wait_for.ts";

const ORDERS = 200;

Deno.test("each of many orders at once is answered", async () => {
  await using folder = new TemporaryDirectory();
  let carriedOut = 0;
  let turn: Promise<unknown> = Promise.resolve();
  const balancer = {
    ...NO_REPORTS,
    orders: {
      ...NO_REPORTS.orders,
      // As orders are: one after the other, each kept on a disk.
      patchBackend: async () => {
        const before = turn;
        const kept = Promise.withResolvers<void>();
        turn = kept.promise;
        await before;
        await Deno.writeTextFile(`${folder.path}/state`, `${++carriedOut}`);
        kept.resolve();
        return { ok: true, value: null } as const;
      },
    },
  };
  const path = `${folder.path}/socket`;
  await using _server = new AdminServer(
    await listenAt(path, SYSTEM_CLOCK),
    SYSTEM_CLOCK,
    balancer,
  );
  const request = new TextEncoder().encode(
    "PATCH /v1/pools/p/backends/b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
  );
  const order = async () => {
    using conn = await Deno.connect({ transport: "unix", path });
    await conn.write(request);
    return new TextDecoder().decode(await readAll(conn)).slice(0, 12);
  };
  const answers = await within(
    "all answers",
    Promise.all(Array.from({ length: ORDERS }, () => order().catch((error) => String(error)))),
  );
  assertEquals(answers, Array(ORDERS).fill("HTTP/1.1 200"));
  assertEquals(carriedOut, ORDERS);
});
