// Under systemd the sessions that outlived TimeoutStopSec were killed with the balancer: the log had said
// "may go on without a time limit", and no record told of their end.

import { assertEquals, assertMatch } from "@std/assert";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { configOf } from "../support/running_config.ts";
import { Sessions } from "../support/sessions.ts";

for (const engine of ["splice", "portable"]) {
  for (const [top, warned] of [["", false], ["shutdown_timeout: 1h", true]] as const) {
    Deno.test(`${engine}: sessions are cut and recorded before the service manager kills, "${top}"`, async () => {
      await using backend = new TcpPeer(echo);
      await using balancer = await Balancer.start({
        config: configOf([backend.address], { top }),
        flags: ["--engine", engine],
        env: { CLB_STOP_SECONDS: "4" },
      });
      const warnings = () =>
        balancer.log.filter(({ message }) =>
          /^shutdown_timeout is 1h, but sessions are cut 2.0s/.test(String(message))
        );
      assertEquals(warnings().length, warned ? 1 : 0);
      using sessions = await Sessions.open(await balancer.port("echo"), 3);
      balancer.signal("SIGTERM");
      const { message } = await balancer.logged("draining");
      assertMatch(
        String(message),
        /3 sessions may go on, those left are cut at \d\d:\d\d:\d\dZ \(in 2\.0s: the service manager/,
      );
      await sessions.exchange("until then");
      assertEquals(await balancer.end(), 0);
      assertEquals(
        balancer.records("closed").map(({ reason }) => reason),
        Array(3).fill("shutdown"),
      );
    });
  }
}
