// What people read who get no session, in the words of their own clients: OpenSSH's ssh and PuTTY's plink.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { silent, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { readAll } from "../support/bytes.ts";
import { peerProgram, requirePeer } from "../support/require_peer.ts";
import { type Outcome, runProgram, TemporaryDirectory } from "../support/run_program.ts";
import { configOf } from "../support/running_config.ts";

const NOBODY = "no compute server can take you now: try again in a minute, or tell your " +
  "administrator (compute-lb: no_backend)";
const FULL = "too many sessions are open here: try again later (compute-lb: frontend_full)";

const BANNER = "{ probe: banner, interval: 200ms, timeout: 150ms, fall: 1, rise: 1 }";

function ssh(port: number): Promise<Outcome> {
  return runProgram([
    peerProgram("ssh"),
    ...["-F", "/dev/null", "-o", "BatchMode=yes", "-p", String(port), "127.0.0.1", "true"],
  ]);
}

async function plink(port: number): Promise<Outcome> {
  await using home = new TemporaryDirectory();
  return await runProgram(
    [peerProgram("plink"), "-batch", "-ssh", "-P", String(port), "nobody@127.0.0.1", "true"],
    { env: { HOME: home.path } },
  );
}

for (const engine of ["splice", "portable"] as const) {
  Deno.test({
    name: `${engine}: ssh and plink print why there is no session`,
    ...requirePeer("ssh", "plink"),
    fn: async () => {
      await using gone = new TcpPeer(silent);
      await gone.refuse();
      await using balancer = await Balancer.start({
        flags: ["--engine", engine],
        config: configOf([gone.address], { health: BANNER }),
      });
      const port = await balancer.port("echo");
      await balancer.until("it to be down", ({ pools }) => pools[0]?.backends[0]?.state === "down");
      for (let i = 0; i < 10; i++) {
        const { code, stderr } = await ssh(port);
        assertEquals(code, 255);
        assertStringIncludes(
          stderr,
          `Received disconnect from 127.0.0.1 port ${port}:11: ${NOBODY}`,
        );
      }
      const { code, stderr } = await plink(port);
      assertEquals(code, 1);
      assertStringIncludes(stderr.replace(/\s+/g, " "), NOBODY);
      assertStringIncludes(stderr, "by application");
    },
  });

  Deno.test({
    name: `${engine}: ssh and plink print that the frontend is full`,
    ...requirePeer("ssh", "plink"),
    fn: async () => {
      await using backend = new TcpPeer(async (conn) => {
        await conn.write(new TextEncoder().encode("SSH-2.0-x\r\n"));
        await silent(conn);
      });
      await using balancer = await Balancer.start({
        flags: ["--engine", engine],
        config: configOf([backend.address], {
          health: BANNER,
          frontend: ", max_connections: 1, when_full: close",
        }),
      });
      const port = await balancer.port("echo");
      await balancer.until("it to be up", ({ pools }) => pools[0]?.backends[0]?.state === "up");
      using _first = await Deno.connect({ hostname: "127.0.0.1", port });
      await balancer.until("the first session", ({ counters }) => counters.active === 1);
      assertStringIncludes((await ssh(port)).stderr, `port ${port}:12: ${FULL}`);
      const { stderr } = await plink(port);
      assertStringIncludes(stderr.replace(/\s+/g, " "), FULL);
      assertStringIncludes(stderr, "too many connections");
    },
  });

  Deno.test(`${engine}: a reload changes what refused clients read`, async () => {
    await using gone = new TcpPeer(silent);
    await gone.refuse();
    const config = (text: string) =>
      configOf([gone.address], { frontend: `, refusal_text: ${JSON.stringify(text)}` });
    await using balancer = await Balancer.start({
      flags: ["--engine", engine],
      config: config("closed until nine"),
    });
    const port = await balancer.port("echo");
    const heard = async () => {
      using client = await Deno.connect({ hostname: "127.0.0.1", port });
      return new TextDecoder().decode(await readAll(client));
    };
    assertEquals(await heard(), "closed until nine\r\n");
    await balancer.reload(config("closed until ten"));
    assertEquals(await heard(), "closed until ten\r\n");
    await balancer.reload(config("off"));
    assertEquals(await heard(), "");
  });
}
