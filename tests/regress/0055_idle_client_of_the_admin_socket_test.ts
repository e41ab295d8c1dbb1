// Whoever held a connection to the admin socket open without asking anything (a monitor's keep-alive) held
// up the end of the balancer, and so its restart, for up to five seconds.

import { listenAt } from "../../lib/admin/listen.ts";
import { AdminServer } from "../../lib/admin/server.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { ManualClock, settled } from "../support/manual_clock.ts";
import { within } from "../support/wait_for.ts";
import { NO_REPORTS } from "../support/no_reports.ts";

Deno.test("an idle client of the admin socket does not hold up its end", async () => {
  await using folder = new TemporaryDirectory();
  // Its time never comes, so that only the end itself can close the connection.
  const path = `${folder.path}/socket`;
  const clock = new ManualClock();
  const server = new AdminServer(await listenAt(path, clock), clock, NO_REPORTS);
  using client = await Deno.connect({ transport: "unix", path });
  await client.write(new TextEncoder().encode("GET /v1/status HTTP/1.1\r\n"));
  await settled();
  await within("the end of the server", server[Symbol.asyncDispose](), 5000);
});
