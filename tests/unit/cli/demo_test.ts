import { assert, assertEquals } from "@std/assert";
import { BANNER } from "../../../lib/cli/demo/backend.ts";
import { type ClientCounts, sendClients } from "../../../lib/cli/demo/clients.ts";
import { drawFrame } from "../../../lib/cli/demo/frame.ts";
import { within } from "../../support/wait_for.ts";
import { BACKEND, POOL, REPORT } from "./reports.ts";

Deno.test("drawFrame() fits the screen, in width and in height", () => {
  const id = "a-backend-with-a-name-that-does-not-end.cluster.example:65535";
  const report = { ...REPORT, pools: [{ ...POOL, backends: [BACKEND, { ...BACKEND, id }] }] };
  const counts = { started: 1, served: 1, failed: 0, lastFailure: undefined };
  for (const [rows, columns] of [[24, 80], [5, 20], [1, 1], [100, 200]] as const) {
    for (const colours of [true, false]) {
      const all = { report, port: 65535, counts, secondsLeft: 86_400, colours, rows, columns };
      // deno-lint-ignore no-control-regex -- what a terminal does not draw
      const drawn = drawFrame(all).replace(/\x1b\[\d*[mHJK]/g, "").split("\n");
      assertEquals(drawn.filter((line) => line.length > columns), []);
      assert(drawn.length <= Math.max(rows, 2));
    }
  }
});

Deno.test("drawFrame() says all it has to say about itself in 80 columns", () => {
  const counts = { started: 9999, served: 9999, failed: 9999, lastFailure: undefined };
  const frame = { port: 65535, counts, secondsLeft: 86_400, colours: false, rows: 99 };
  const report = { ...REPORT, pools: [] };
  assertEquals(
    drawFrame({ ...frame, report, columns: 80 }),
    drawFrame({ ...frame, report, columns: 999 }),
  );
});

Deno.test("sendClients() gives a balancer up that does not answer", async () => {
  for (const greeting of ["", BANNER]) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const accepted: Deno.Conn[] = [];
    const accepting = (async () => {
      for await (const conn of listener) {
        accepted.push(conn);
        await conn.write(new TextEncoder().encode(greeting));
      }
    })();
    const counts: ClientCounts = { started: 0, served: 0, failed: 0, lastFailure: undefined };
    const stop = new AbortController();
    const clients = sendClients(listener.addr.port, counts, () => 0, stop.signal, 50);
    await within(
      "a failure",
      (async () => {
        while (counts.failed === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      })(),
    );
    stop.abort();
    await within("the clients' end", clients);
    assertEquals(counts.lastFailure, "the balancer did not answer within 50 ms");
    assertEquals(counts.served, 0);
    listener.close();
    await accepting;
    for (const conn of accepted) conn.close();
  }
});
