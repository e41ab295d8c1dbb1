// A shortage of descriptors was told by every worker for itself: as many lines as there are cores, where one
// was promised.

import { assertEquals } from "@std/assert";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { receive, send } from "../support/bytes.ts";
import { starvedEngine } from "../support/processes.ts";
import { connectTo } from "../conformance/engine_fixture.ts";

/** Room for some 60 tunnels. */
const DESCRIPTORS = 160;
const CLIENTS = 120;

Deno.test("a shortage that all workers feel is told once", async () => {
  await using backend = new TcpPeer(echo);
  const child = starvedEngine(backend.address, DESCRIPTORS);
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = (await lines.read()).value ?? "";
  const reading = (async () => {
    for (let part = await lines.read(); !part.done; part = await lines.read()) said += part.value;
  })();
  const port = Number(said);
  said = "";
  const clients: Deno.TcpConn[] = [];
  try {
    while (clients.length < CLIENTS) clients.push(await connectTo(port));
    await Promise.all(clients.map(async (client) => {
      await send(client, "x");
      assertEquals(await receive(client, 1), "x");
      client.close();
    }));
  } finally {
    await child.stdin.close();
    await child.status;
    await reading;
  }
  assertEquals(said.match(/out_of_descriptors/g)?.length, 1);
});
