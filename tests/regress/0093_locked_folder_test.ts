// Any user who may read the folder of the admin socket could lock it, and the balancer did not start as long
// as they did.

import { listenAt } from "../../lib/admin/listen.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { TemporaryDirectory } from "../support/run_program.ts";

Deno.test("a lock that nobody gives back keeps no balancer from its admin socket", async () => {
  await using folder = new TemporaryDirectory();
  using held = await Deno.open(folder.path);
  await held.lock(true);
  const clock = {
    now: () => SYSTEM_CLOCK.now(),
    wall: () => SYSTEM_CLOCK.wall(),
    sleep: () => Promise.resolve(),
  };
  (await listenAt(`${folder.path}/admin.sock`, clock)).close();
});
