// A recording gave the configured max_connections of a backend whose agent says maxconn, so that a replay
// placed more sessions there than the backend would have taken.

import { assertEquals } from "@std/assert";
import { parseRecordLine } from "../../lib/record/record_format.ts";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { waitFor } from "../support/wait_for.ts";

Deno.test("a recording tells the limit that an agent sets", async () => {
  await using folder = new TemporaryDirectory();
  await using agent = new TcpPeer(async (conn) => {
    await conn.write(new TextEncoder().encode("100% ready maxconn:3\n"));
  });
  await using peer = new TcpPeer(greetThenEcho("peer"));
  const record = `${folder.path}/record`;
  const config = JSON.stringify({
    log: { record },
    frontends: { f: { listen: "127.0.0.1:0" } },
    pools: {
      p: {
        backends: [{ address: peer.address, load_address: agent.address, max_connections: 20 }],
        load: { source: "agent", interval: "100ms" },
      },
    },
  });
  await using _balancer = await Balancer.start({ config });
  const limits = async () =>
    (await Deno.readTextFile(record)).split("\n").slice(0, -1).flatMap((text) => {
      const line = parseRecordLine(text);
      return line.ok && line.value.kind === "backend" ? [line.value.max] : [];
    });
  const [first] = await waitFor("what the agent says", async () => {
    const found = (await limits()).filter((max) => max !== 20);
    return found.length > 0 ? found : undefined;
  });
  assertEquals(first, 3);
});
