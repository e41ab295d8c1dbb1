// The program with a pool that etcd, ZooKeeper and Consul (a fake) name together: each comes late, is killed and
// comes back.

import { assert, assertEquals } from "@std/assert";
import { Consul } from "../peers/consul.ts";
import { Etcd } from "../peers/etcd.ts";
import { ZooKeeper } from "../peers/zookeeper.ts";
import { Balancer } from "../support/balancer.ts";
import { greeted, greeter, landings } from "../support/greeters.ts";
import { requirePeer } from "../support/require_peer.ts";
import { waitFor } from "../support/wait_for.ts";

Deno.test({
  ...requirePeer("etcd", "java", "zookeeper"),
  name:
    "a pool of etcd, ZooKeeper and Consul: sessions stand while all of them are lost and come back",
  fn: async () => {
    await using one = greeter(1);
    await using two = greeter(2);
    await using three = greeter(3);
    await using four = greeter(4);
    await using etcd = new Etcd();
    await using zookeeper = new ZooKeeper();
    await using consul = new Consul(1);
    const servers = [etcd, zookeeper, consul];
    await using balancer = await Balancer.start({
      config: `
frontends: { main: { listen: "127.0.0.1:0", pool: main } }
pools:
  main:
    strategy: round_robin
    load: { source: none }
    discovery:
      - etcd://${etcd.address}/compute/
      - { source: zk, servers: "${zookeeper.address}", path: /compute }
      - consul://${consul.address}/ssh
`,
    });
    const port = await balancer.port("main");
    await Promise.all(servers.map((server) => server.start()));
    const [host = "", last = ""] = three.address.split(":");
    await etcd.put({ "/compute/a": one.address });
    await zookeeper.put({ "/compute": "", [`/compute/${two.address}`]: "" });
    await consul.register({ ID: "c", Address: host, Port: Number(last), Meta: { cores: "8" } });
    const pool = async () => (await balancer.status()).pools[0];
    const sources = async () => (await pool())?.discovery ?? [];
    const isNamed = async (...all: { readonly address: string }[]) =>
      ((await pool())?.backends ?? []).filter(({ state }) => state !== "leaving")
        .map(({ id }) => id).sort().join() === all.map(({ address }) => address).sort().join();
    await waitFor(
      "all to be named",
      () => isNamed(one, two, three),
    );
    await waitFor("sessions to go everywhere", async () => (await landings(port, 6)).size === 3);
    const sessions = await Promise.all([1, 2, 3].map(() => greeted(port)));
    assertEquals(new Set(sessions.map(({ digit }) => digit)).size, 3);
    await Promise.all(servers.map((server) => server.kill()));
    const lost = await waitFor("all to be lost", async () => {
      const all = await sources();
      return all.every(({ failure }) => failure !== null) && all;
    });
    assert(lost.every(({ backends, listedAt }) => backends === 1 && listedAt !== null));
    assertEquals((await landings(port, 6)).size, 3);
    await Promise.all(servers.map((server) => server.start()));
    await etcd.put({ "/compute/a": four.address });
    await consul.register({ ID: "c", Address: host, Port: Number(last), Meta: { cores: "8" } });
    await waitFor(
      "the new one to be named",
      () => isNamed(four, two, three),
    );
    await waitFor(
      "all to be well",
      async () => (await sources()).every(({ failure }) => failure === null),
    );
    const leaving = (await pool())?.backends.find(({ state }) => state === "leaving");
    assertEquals(leaving?.id, one.address);
    for (const { conn } of sessions) {
      await conn.write(new Uint8Array(1));
      conn.close();
    }
  },
});
