// The discovery source gmond against the real daemon, and against what only pretends to be one.

import { assert, assertEquals } from "@std/assert";
import { GmondReader } from "../../lib/asking/gmond.ts";
import { LivingHosts } from "../../lib/discovery/gmond.ts";
import { Gmond } from "../peers/gmond.ts";
import { freePort } from "../support/processes.ts";
import { requirePeer } from "../support/require_peer.ts";
import { SourceWatcher } from "../support/source_watcher.ts";

function watch(port: number, more: Readonly<Record<string, string>> = {}): SourceWatcher {
  return new SourceWatcher({
    source: "gmond",
    address: `127.0.0.1:${port}`,
    interval: "2s",
    ...more,
  }, 4);
}

Deno.test({
  ...requirePeer("gmond", "gmetric"),
  name: "gmond: hosts that were heard of lately are backends, with their cores",
  async fn() {
    await using gmond = await Gmond.start({ host: { name: "kelvin.example", ip: "10.9.8.7" } });
    const cores = `cores=${navigator.hardwareConcurrency}`;
    await using byIp = watch(gmond.port);
    await using byName = watch(gmond.port, { reached_by: "name", cluster: "test" });
    await using nobody = watch(gmond.port, { cluster: "other" });
    await byIp.has(`10.9.8.7:1? ${cores}`);
    await byName.has(`kelvin.example:1? ${cores}`);
    await nobody.fails(
      /^gmond knows no host of cluster other that is alive: its clusters are test$/,
    );
    await gmond.report({ name: "hoek.example", ip: "10.9.8.6" }, 1, 60);
    await byIp.has("10.9.8.6:1?", `10.9.8.7:1? ${cores}`);
    gmond.stop();
    await byName.fails(/^no answer within 5(\.0)?s$/);
    gmond.go();
    await byName.next();
    await gmond.kill();
    await byIp.fails(/^connection refused/);
    await byIp.has("10.9.8.6:1?", `10.9.8.7:1? ${cores}`);
    // Restarted, it has yet to hear of the other host, which stays.
    const next = byIp.next();
    await gmond.start();
    await next;
    await byIp.has("10.9.8.6:1?", `10.9.8.7:1? ${cores}`);
  },
});

/** The XML of a cluster, of hosts by name with TN. */
function xml(hosts: Readonly<Record<string, number>>, tmax = 20): string {
  const all = Object.entries(hosts).map(([name, tn], at) =>
    `<HOST NAME="${name}" IP="10.0.0.${at + 1}" TN="${tn}" TMAX="${tmax}" DMAX="0"></HOST>`
  );
  return `<GANGLIA_XML VERSION="3"><CLUSTER NAME="c">${all.join("")}</CLUSTER></GANGLIA_XML>`;
}

Deno.test("hosts stay for 4 times their TMAX after they were heard, also when gmond forgets them", () => {
  const living = new LivingHosts();
  const take = (text: string, seconds: number) => {
    const reader = new GmondReader();
    reader.feed(text);
    const hosts = reader.end();
    assert(hosts.ok);
    return living.take(hosts.value, seconds * 1000).map(({ name }) => name).join(" ");
  };
  assertEquals(take(xml({ a: 0, b: 70, c: 81 }), 0), "a b");
  assertEquals(take(xml({}), 10), "a b");
  assertEquals(take(xml({}), 11), "a");
  assertEquals(take(xml({ b: 0 }), 80), "a b");
  assertEquals(take(xml({}), 81), "b");
  assertEquals(take(xml({ b: 90 }), 90), "");
  assertEquals(take(xml({ d: 79 }, 0), 100), "d");
  assertEquals(take(xml({}, 0), 102), "");
});

Deno.test("gmond: what is no whole XML of a gmond is a failure, and a late answer too", async () => {
  const texts = ["", "<html></html>", xml({ a: 0 }).slice(0, -9), "SSH-2.0-OpenSSH_9.2\r\n"];
  for (const text of texts) {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const serving = (async () => {
      for await (const connection of listener) {
        await connection.write(new TextEncoder().encode(text));
        connection.close();
      }
    })();
    await using watched = watch(listener.addr.port);
    await watched.fails(/^Cannot (read|use) .*\(127\.0\.0\.1:\d+\)$/);
    assertEquals(watched.lists, []);
    listener.close();
    await serving;
  }
  await using late = watch(freePort());
  await late.fails(/^connection refused/);
});
