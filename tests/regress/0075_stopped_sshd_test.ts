// A stopped sshd stayed up, because its kernel goes on to accept, and client after client hung on it. It
// takes port 22 for the default to wait for sshd's greeting.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { readConfig } from "../../lib/config/read_config.ts";
import { parseBackendSpec } from "../../lib/core/pool/backend.ts";
import { BannerProbe } from "../../lib/health/banner_probe.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { Sshd } from "../peers/sshd.ts";
import { Balancer } from "../support/balancer.ts";
import { receive } from "../support/bytes.ts";
import { signal } from "../support/processes.ts";

for (const engine of ["splice", "portable"]) {
  Deno.test({
    name: `${engine}: a stopped sshd on port 22 is down by default, and no client hangs on it`,
    ignore: Deno.uid() !== 0,
    fn: async () => {
      await using stopped = await Sshd.start({ address: "127.77.52.1", port: 22 });
      await using living = await Sshd.start({ address: "127.77.52.2", port: 22 });
      await using balancer = await Balancer.start({
        config: `
          frontends: { ssh: { listen: "127.0.0.1:0" } }
          pools:
            p:
              strategy: first
              backends: ["${stopped.address}:22", "${living.address}:22"]
              load: { source: none }
              health: { interval: 300ms, timeout: 250ms }
        `,
        flags: ["--engine", engine],
      });
      const port = await balancer.port("ssh");
      const states = (wanted: string) =>
        balancer.until(
          `the backends to be ${wanted}`,
          ({ pools }) => pools[0]?.backends.map(({ state }) => state).join() === wanted,
        );
      await states("up,up");
      const { pid } = stopped;
      assert(pid !== undefined);
      signal(pid, "SIGSTOP");
      try {
        const { pools } = await states("down,up");
        assertStringIncludes(pools[0]?.backends[0]?.reason ?? "", "says nothing");
        for (let i = 0; i < 3; i++) {
          using client = await Deno.connect({ hostname: "127.0.0.1", port });
          assertEquals(await receive(client, 4), "SSH-");
        }
      } finally {
        signal(pid, "SIGCONT");
      }
      await states("up,up");
    },
  });
}

Deno.test("an sshd that takes no more logins at the moment is alive", async () => {
  await using sshd = await Sshd.start({ maxStartups: "1:100:1" });
  using waiting = await Deno.connect({ hostname: sshd.address, port: sshd.port });
  assertEquals(await receive(waiting, 4), "SSH-");
  const backend = parseBackendSpec(`${sshd.address}:${sshd.port}`);
  assert(backend.ok);
  const probe = new BannerProbe(SYSTEM_CLOCK, "SSH-", 5000);
  const { address } = backend.value;
  const result = await probe.run(backend.value, [address], new AbortController().signal);
  assert(result.ok, JSON.stringify(result));
  assertStringIncludes(result.detail ?? "", "Exceeded MaxStartups");
});

Deno.test("health.probe auto is banner where port 22 is used on either side, else tcp", () => {
  const chosen = (listen: string, backends: string, probe = "auto") => {
    const text = `
      frontends: { f: { listen: "${listen}" } }
      pools:
        p: { backends: ${backends}, load: { source: none }, health: { probe: ${probe} } }
    `;
    const read = readConfig({ file: { path: "lb.conf", text } });
    assert(read.ok);
    return read.config.pools[0]?.health.probe;
  };
  assertEquals(chosen(":22", "[a, b]"), "banner");
  assertEquals(chosen(":22", "['a:2222']"), "banner");
  assertEquals(chosen(":2222", "['a:2022', 'b:22']"), "banner");
  assertEquals(chosen(":2222", "[a, 'b:8080']"), "tcp");
  assertEquals(chosen(":2222", "['unix:/run/x']"), "tcp");
  assertEquals(chosen(":22", "[a]", "tcp"), "tcp");
  assertEquals(chosen(":80", "[a]", "none"), "none");
});
