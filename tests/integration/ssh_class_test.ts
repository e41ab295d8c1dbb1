// A class logs in: real ssh, all at once, on servers whose sshd drops connections at random while ten wait to
// log in, as it is installed (MaxStartups 10:30:100).

import { assertEquals } from "@std/assert";
import { Sshd } from "../peers/sshd.ts";
import { Balancer } from "../support/balancer.ts";
import { peerProgram, requirePeer } from "../support/require_peer.ts";
import { mustRun, runProgram } from "../support/run_program.ts";
import { configOf } from "../support/running_config.ts";

const CLASS = 30;

for (const engine of ["splice", "portable"]) {
  Deno.test({
    name: `${engine}: ${CLASS} logins at once on three stock sshd are all served`,
    ignore: requirePeer("sshd", "ssh", "ssh-keygen").ignore,
    fn: async () => {
      const user = (await mustRun("/usr/bin/id", "-un")).trim();
      const config = [
        // A login takes as long as people take to type. The key that is shown will do.
        "AuthorizedKeysFile none",
        'AuthorizedKeysCommand /bin/sh -c "sleep 4; echo %t %k"',
        `AuthorizedKeysCommandUser ${user}`,
      ];
      const stock = { maxStartups: "10:30:100", config };
      await using first = await Sshd.start({ address: "127.10.0.1", ...stock });
      await using second = await Sshd.start({ address: "127.10.0.2", keysOf: first, ...stock });
      await using third = await Sshd.start({ address: "127.10.0.3", keysOf: first, ...stock });
      const backends = [first, second, third].map(({ address, port }) => `${address}:${port}`);
      await using balancer = await Balancer.start({
        flags: ["--engine", engine],
        // By itself the strategy sends all of them to the first.
        config: configOf(backends, {
          strategy: "first",
          placement: "pace: { within: 10s }",
          health: "{ probe: none }",
        }),
      });
      const port = await balancer.port("echo");
      const ssh = [peerProgram("ssh"), ...first.clientArguments(), "-p", String(port), "127.0.0.1"];
      const outcomes = await Promise.all(
        Array.from({ length: CLASS }, () => runProgram([...ssh, "true"])),
      );
      const failed = outcomes.filter(({ code }) => code !== 0);
      assertEquals(failed.map(({ stderr }) => stderr), []);
    },
  });
}
