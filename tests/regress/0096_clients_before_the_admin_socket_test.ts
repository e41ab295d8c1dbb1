// Clients were accepted before the admin socket and the recording were opened: enough of them, there as soon
// as the port was, left no descriptor for these, and the start ended.

import { assertEquals } from "@std/assert";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { freePort } from "../support/processes.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { configOf } from "../support/running_config.ts";
import { Sessions } from "../support/sessions.ts";
import { waitFor } from "../support/wait_for.ts";

const CLIENTS = 80;
const LIMIT = "--nofile=90:90";

for (const engine of ["splice", "portable"]) {
  Deno.test(`${engine}: clients that come as soon as the port is open do not end the start`, async () => {
    await using backend = new TcpPeer(echo);
    await using folder = new TemporaryDirectory();
    const port = freePort();
    const connect = () => Deno.connect({ hostname: "127.0.0.1", port });
    await using balancer = await Balancer.spawn({
      config: configOf([backend.address], { top: `log: { record: ${folder.path}/record }` })
        .replace("127.0.0.1:0", `127.0.0.1:${port}`),
      flags: ["--engine", engine],
      prefix: ["prlimit", LIMIT],
    });
    const clients: Deno.TcpConn[] = [];
    try {
      {
        // The admin socket waits, as for another start, until all clients are there.
        using lock = await Deno.open(balancer.folder, { read: true });
        await lock.lock(true);
        clients.push(await waitFor("the port to be open", connect));
        while (clients.length < CLIENTS) clients.push(await connect());
      }
      await waitFor(
        "the end of the start",
        () => balancer.ended || balancer.log.some(({ event }) => event === "ready"),
      );
      assertEquals(balancer.ended, false, balancer.describe());
    } finally {
      for (const client of clients) client.close();
    }
    await balancer.until("the sessions to end", ({ counters }) => counters.active === 0);
    using sessions = await Sessions.open(port, 10);
    await sessions.exchange("after the start");
    balancer.signal("SIGINT");
    assertEquals(await balancer.end(), 0, balancer.describe());
  });
}
