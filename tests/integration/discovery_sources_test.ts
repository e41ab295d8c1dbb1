// The program with a pool that several sources name together, each of which comes late and is lost.

import { assert, assertEquals } from "@std/assert";
import { Dnsmasq } from "../peers/dnsmasq.ts";
import { Gmond } from "../peers/gmond.ts";
import { serveOioProxy, writeOioCluster } from "../peers/oio.ts";
import { Balancer } from "../support/balancer.ts";
import { freePort } from "../support/processes.ts";
import { greeted, greeter, landings } from "../support/greeters.ts";
import { requirePeer } from "../support/require_peer.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { waitFor } from "../support/wait_for.ts";

Deno.test({
  ...requirePeer("dnsmasq", "gmond", "gmetric"),
  name:
    "a pool of the DNS, Ganglia, containers and OpenIO: sessions stand while all sources are lost",
  async fn() {
    await using directory = new TemporaryDirectory();
    const inside = (name: string) => `${directory.path}/${name}`;
    await using one = greeter(1);
    await using two = greeter(2);
    await using three = greeter(3);
    await using four = greeter(4);
    await using five = greeter(5);
    const portOf = ({ address }: { address: string }) => address.replace(/^.*:/, "");
    await using dnsmasq = new Dnsmasq();
    await using gmond = await Gmond.start({ host: { name: "kelvin", ip: "127.0.0.1" } });
    const proxyPort = freePort();
    const program = inside("oio-cluster");
    await Deno.writeTextFile(inside("services"), `OPENIO|rawx|${five.address}|score=1\n`);
    await using balancer = await Balancer.start({
      config: `
frontends: { main: { listen: "127.0.0.1:0", pool: main } }
pools:
  main:
    strategy: round_robin
    load: { source: none }
    discovery:
      - { source: dns, name: _ssh._tcp.example, server: "${dnsmasq.address}", interval: 1s }
      - { source: gmond, address: "127.0.0.1:${gmond.port}", port: ${portOf(two)}, interval: 1s }
      - { source: containers, socket: ${inside("engine")}, labels: a=b, interval: 1s }
      - oio-proxy://127.0.0.1:${proxyPort}/OPENIO/rawx
      - { source: oio_cluster, namespace: OPENIO, service_type: rawx, program: ${program} }
`,
    });
    const port = await balancer.port("main");
    await dnsmasq.serve(
      "host-record=hoek.example,127.0.0.1",
      `srv-host=_ssh._tcp.example,hoek.example,${portOf(one)}`,
    );
    await using engine = Deno.serve(
      { path: inside("engine"), onListen: () => {} },
      ({ url }) =>
        url.includes("/events") ? new Response(null, { status: 404 }) : Response.json([{
          Names: ["/hoek"],
          Labels: { "compute-lb.port": portOf(three) },
          HostConfig: { NetworkMode: "host" },
        }]),
    );
    const services = { "OPENIO/rawx": [four.address] };
    await using proxy = serveOioProxy(services, proxyPort);
    await writeOioCluster(program, inside("services"));
    const sources = async () => (await balancer.status()).pools[0]?.discovery ?? [];
    await waitFor(
      "every source to have spoken",
      async () => (await sources()).every(({ backends }) => backends === 1),
    );
    await waitFor("sessions to go everywhere", async () => (await landings(port, 10)).size === 5);
    const sessions = await Promise.all([1, 2, 3, 4, 5].map(() => greeted(port)));
    assertEquals(new Set(sessions.map(({ digit }) => digit)).size, 5);
    await dnsmasq.kill();
    await gmond.kill();
    await engine.shutdown();
    await proxy.shutdown();
    await Deno.remove(program);
    const lost = await waitFor("every source to be lost", async () => {
      const all = await sources();
      return all.every(({ failure }) => failure !== null) && all;
    });
    assert(lost.every(({ backends, listedAt }) => backends === 1 && listedAt !== null));
    assertEquals((await landings(port, 10)).size, 5);
    for (const { conn } of sessions) {
      await conn.write(new Uint8Array(1));
      conn.close();
    }
    const { pools } = await balancer.status();
    assertEquals(
      pools[0]?.backends.map(({ id }) => id),
      [one, two, three, four, five].map((it) => it.address),
    );
  },
});
