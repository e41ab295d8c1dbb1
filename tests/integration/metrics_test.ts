// What a Prometheus and a keepalived are told by the real program, on both engines.

import { assert, assertEquals } from "@std/assert";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer, runProgram as compute } from "../support/balancer.ts";
import { needs } from "../support/needs.ts";
import { runProgram, TemporaryDirectory } from "../support/run_program.ts";
import { Sessions } from "../support/sessions.ts";
import { waitFor } from "../support/wait_for.ts";

/** GETs a resource as text: its status, content type and body. */
async function get(balancer: Balancer, resource: string) {
  using conn = await Deno.connect({ transport: "unix", path: balancer.adminSocket });
  await conn.write(new TextEncoder().encode(`GET ${resource} HTTP/1.1\r\nHost: x\r\n\r\n`));
  const text = await new Response(conn.readable).text();
  const [head = "", body = ""] = text.split("\r\n\r\n");
  const type = /^content-type: (.*)$/im.exec(head)?.[1];
  return { status: Number(head.split(" ")[1]), type, body };
}

/** The value of a sample, named as in the text. */
async function sample(balancer: Balancer, name: string): Promise<number | undefined> {
  const { body } = await get(balancer, "/metrics");
  const line = body.split("\n").find((one) => one.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

for (const engine of ["splice", "portable"]) {
  Deno.test({
    ...needs("promtool"),
    name: `${engine}: metrics count what clients met, and promtool takes them`,
    fn: async () => {
      await using peer = new TcpPeer(echo);
      const gone = new TcpPeer(echo);
      const dead = gone.address;
      await gone[Symbol.asyncDispose]();
      await using balancer = await Balancer.start({
        config: JSON.stringify({
          engine: { kind: engine, workers: 2 },
          frontends: { ssh: { listen: "127.0.0.1:0", max_connections: 2, when_full: "close" } },
          pools: {
            compute: {
              backends: [dead, peer.address],
              strategy: "first",
              load: { source: "none" },
              health: { probe: "none" },
            },
          },
        }),
      });
      const port = await balancer.port("ssh");
      const full = 'compute_lb_frontend_refused_total{frontend="ssh",reason="frontend_full"}';
      const moved = 'compute_lb_frontend_bytes_total{frontend="ssh",direction="to_client"}';
      let standing = 0;
      {
        using _sessions = await Sessions.open(port, 2);
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        await waitFor("the refusal", async () => await sample(balancer, full) === 1 || undefined);
        const here = `{pool="compute",backend="${peer.address}"}`;
        assertEquals(await sample(balancer, "compute_lb_sessions"), 2);
        assertEquals(await sample(balancer, `compute_lb_backend_sessions${here}`), 2);
        assertEquals(await sample(balancer, `compute_lb_backend_opened_total${here}`), 2);
        const failures =
          `compute_lb_backend_connect_failures_total{pool="compute",backend="${dead}",kind="refused"}`;
        const failed = await sample(balancer, failures) ?? 0;
        assert(failed >= 1, `${failed}`);
        const { connectFailures } = (await balancer.status()).counters;
        assertEquals(failed, connectFailures);
        assertEquals(
          await sample(balancer, 'compute_lb_pool_picks_total{pool="compute"}'),
          2 + failed,
        );
        // Of sessions that stand.
        standing = await sample(balancer, moved) ?? 0;
        assert(standing > 0);
      }
      const atEnd = await waitFor("the ends", async () => {
        return await sample(balancer, "compute_lb_sessions") === 0
          ? await sample(balancer, moved)
          : undefined;
      });
      assertEquals(atEnd, standing);

      const { status, type, body } = await get(balancer, "/metrics");
      assertEquals([status, type], [200, "text/plain; version=0.0.4; charset=utf-8"]);
      const file = `${balancer.folder}/metrics`;
      await Deno.writeTextFile(file, body);
      const checked = await runProgram(["/bin/sh", "-c", `promtool check metrics < ${file}`]);
      assertEquals(checked, { code: 0, stdout: "", stderr: "" });
    },
  });
}

Deno.test("healthz: 200 while a client that comes now finds a backend", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/backend`;
  const peer = new TcpPeer(echo, { path });
  await using balancer = await Balancer.start({
    config: JSON.stringify({
      frontends: { ssh: { listen: "127.0.0.1:0", pool: "up" }, b: { listen: ":0", pool: "down" } },
      pools: {
        up: { backends: [`unix:${path}`], load: { source: "none" }, health: { interval: "100ms" } },
        down: {
          backends: ["127.0.0.1:1"],
          load: { source: "none" },
          health: { interval: "100ms" },
        },
      },
    }),
  });
  await balancer.until(
    "both pools are known",
    ({ pools }) => pools[0]?.backends[0]?.state === "up" && pools[1]?.backends[0]?.state === "down",
  );
  const asked = async (query: string) => {
    const { status, body } = await get(balancer, `/healthz${query}`);
    return [status, body];
  };
  assertEquals(await asked(""), [200, "ok\n"]);
  assertEquals(await asked("?pool=up"), [200, "ok\n"]);
  assertEquals(await asked("?pool=down"), [503, "no usable backend\n"]);
  assertEquals((await asked("?pool=none"))[0], 404);
  await peer[Symbol.asyncDispose]();
  await waitFor(
    "the end of the last backend",
    async () => (await asked(""))[0] === 503 || undefined,
  );
});

Deno.test("status --nagios: a plugin's line and exit status", async () => {
  await using peer = new TcpPeer(echo);
  const asked = (socket: string) => compute(["status", "--nagios", "--admin-socket", socket]);
  let socket = "";
  {
    await using balancer = await Balancer.start({
      flags: ["--listen", "127.0.0.1:0", "--backends", peer.address, "--load", "none"],
    });
    socket = balancer.adminSocket;
    const fine = await asked(socket);
    assertEquals([fine.code, fine.stderr], [0, ""]);
    assert(fine.stdout.startsWith("COMPUTE-LB OK - 1 of 1 backend usable, 0 sessions | usable=1;"));
  }
  const gone = await asked(socket);
  const line = `COMPUTE-LB CRITICAL - Cannot ask ${socket}: no balancer listens there\n`;
  assertEquals(gone, { code: 2, stdout: line, stderr: "" });
});
