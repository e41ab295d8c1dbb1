// A HUP in the first tenth of a second of the packed program, before it could listen to signals, ended
// it; a script that starts a service and reloads it at once does that.

import { assertEquals } from "@std/assert";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { receive, send } from "../support/bytes.ts";
import { compiledBinary } from "../support/compiled_binary.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { configOf } from "../support/running_config.ts";
import { waitFor } from "../support/wait_for.ts";

for (const start of ["first", "later"]) {
  Deno.test({
    name: `HUP at every moment of a ${start} start does not end the packed program`,
    ignore: Deno.build.os !== "linux",
    fn: async () => {
      await using cache = new TemporaryDirectory();
      await using backend = new TcpPeer(echo);
      const program = [await compiledBinary()];
      const env = { CLB_RUNTIME_DIR: cache.path };
      const config = configOf([backend.address]);
      if (start === "later") {
        await using before = await Balancer.start({ config, env, program });
        before.signal("SIGTERM");
        assertEquals(await before.end(), 0);
      }
      await using balancer = await Balancer.spawn({ config, env, program });
      // The shell in front of it has read its first lines, or has become the program.
      await waitFor("a process that can be asked", async () => {
        const status = await Deno.readTextFile(`/proc/${balancer.pid}/status`);
        const ignoresHup = /^SigIgn:.*[13579bdf]$/m.test(status);
        const runtime = (await Deno.readLink(`/proc/${balancer.pid}/exe`)).endsWith("/compute-lb");
        return ignoresHup || runtime;
      });
      await waitFor("the balancer to be ready", () => {
        if (balancer.ended) throw new Error(`it has ended: ${balancer.describe()}`);
        balancer.signal("SIGHUP");
        return balancer.log.some(({ event }) => event === "ready");
      });
      using client = await Deno.connect({
        hostname: "127.0.0.1",
        port: await balancer.port("echo"),
      });
      await send(client, "here");
      assertEquals(await receive(client, 4), "here");
      // What kept HUP away while it started does not keep it away now.
      await waitFor("the reloads that were asked for", async () => {
        const { reload } = await balancer.status();
        return reload.count > 0;
      });
      assertEquals((await balancer.reload(config)).event, "reloaded");
    },
  });
}
