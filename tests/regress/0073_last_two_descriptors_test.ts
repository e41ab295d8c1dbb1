// Two clients that were accepted with the last two descriptors held one each: neither found one for its
// backend, and what a session that ended gave back lay idle until both ran into their deadlines.

import { assert } from "@std/assert";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { receive, send } from "../support/bytes.ts";
import { starvedEngine } from "../support/processes.ts";
import { waitFor } from "../support/wait_for.ts";
import { connectTo } from "../conformance/engine_fixture.ts";

/** Room for some 60 tunnels; one even number, one odd, since it takes two descriptors to make a session. */
const LIMITS = [160, 161];
const CLIENTS = 100;
const LEAVERS = 40;

for (const descriptors of LIMITS) {
  Deno.test(`of ${descriptors} descriptors, those that a session gives back serve another`, async () => {
    await using backend = new TcpPeer(echo);
    const child = starvedEngine(backend.address, descriptors);
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let said = (await lines.read()).value ?? "";
    const port = Number(said);
    const reading = (async () => {
      for (let part = await lines.read(); !part.done; part = await lines.read()) said += part.value;
    })();
    const clients = new Set<Deno.TcpConn>();
    const served: Deno.TcpConn[] = [];
    let arrivals = 0;
    const join = async () => {
      const client = await connectTo(port);
      clients.add(client);
      await send(client, "x");
      receive(client, 1).then((answer) => {
        if (answer === "x") arrivals = served.push(client) && arrivals + 1;
      }).catch(() => {});
    };
    try {
      while (clients.size < CLIENTS) await join();
      await waitFor("the shortage", () => said.includes("out_of_descriptors"));
      for (let i = 0; i < LEAVERS; i++) {
        const before = arrivals;
        const leaver = served.shift();
        assert(leaver !== undefined);
        clients.delete(leaver);
        leaver.close();
        await join();
        await waitFor("another client to be served", () => arrivals > before);
      }
    } finally {
      for (const client of clients) client.close();
      await child.stdin.close();
      await child.status;
      await reading;
    }
  });
}
