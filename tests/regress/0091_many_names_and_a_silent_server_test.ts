// Look-ups that a silent name server left hanging held every thread on which files are read and written:
// from 32 names on, a reload and the logs waited for the system to give up.

import { createSocket } from "node:dgram";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { needs } from "../support/needs.ts";

/** Never answers. An address of its own, since the port has to be 53. */
const NAME_SERVER = "127.0.28.53";
const NAMES = Array.from({ length: 40 }, (_, i) => `name${i}.test:22`);

const configOf = (backends: readonly string[], source: string) =>
  JSON.stringify({
    frontends: { f: { listen: "127.0.0.1:0" } },
    pools: {
      p: { backends, load: { source, interval: "1s" }, health: { probe: "none" } },
    },
  });

for (const source of ["none", "nrpe", "agent", "gmond"]) {
  Deno.test({
    name: `a reload does not wait for the names of 40 backends, load by ${source}`,
    ...needs("root", "unshare"),
    fn: async () => {
      const server = createSocket("udp4");
      await new Promise<void>((bound, failed) => {
        server.once("error", failed);
        server.bind(53, NAME_SERVER, bound);
      });
      await using peer = new TcpPeer(greetThenEcho("x"));
      const resolvConf = await Deno.makeTempFile();
      // Longer than any test waits.
      const options = "options timeout:30 attempts:5";
      await Deno.writeTextFile(resolvConf, `nameserver ${NAME_SERVER}\n${options}\n`);
      const silent = `mount --bind ${resolvConf} /etc/resolv.conf && exec "$@"`;
      await using balancer = await Balancer.start({
        config: configOf([peer.address, ...NAMES], source),
        prefix: ["unshare", "--mount", "sh", "-c", silent, "sh"],
      });
      // By now every source has asked for names.
      if (source !== "none") await balancer.logged("name39.test:22 does not report its load");
      await Deno.writeTextFile(balancer.configFile, configOf([peer.address], source));
      balancer.signal("SIGHUP");
      await balancer.logged("reloaded");
      server.close();
      await Deno.remove(resolvConf);
    },
  });
}
