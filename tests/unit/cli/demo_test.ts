import { assertEquals } from "@std/assert";
import { BANNER } from "../../../lib/cli/demo/backend.ts";
import { type ClientCounts, sendClients } from "../../../lib/cli/demo/clients.ts";
import { drawFrame } from "../../../lib/cli/demo/frame.ts";
import { within } from "../../support/wait_for.ts";
import { REPORT } from "./reports.ts";

const COUNTS = { started: 9999, served: 9999, failed: 9999, lastFailure: undefined };
const FRAME = { port: 65535, counts: COUNTS, secondsLeft: 86_400, colours: false };

Deno.test("drawFrame() says all it has to say about itself in 80 columns", () => {
  const lines = drawFrame({ ...FRAME, report: { ...REPORT, pools: [] } });
  assertEquals(lines.filter((line) => line.length > 80), []);
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
