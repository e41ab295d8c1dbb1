import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { parseContainers, type Reach } from "../../../lib/discovery/container_list.ts";
import { backendText } from "../../support/source_watcher.ts";

function container(name: string, more: object = {}) {
  return {
    Id: "8dfafdbc3a40",
    Names: [`/${name}`],
    Labels: {},
    HostConfig: { NetworkMode: "compute" },
    Ports: [
      { IP: "0.0.0.0", PrivatePort: 22, PublicPort: 2201, Type: "tcp" },
      { IP: "::", PrivatePort: 22, PublicPort: 2201, Type: "tcp" },
      { PrivatePort: 80, Type: "tcp" },
      { IP: "127.0.0.1", PrivatePort: 53, PublicPort: 5353, Type: "udp" },
    ],
    NetworkSettings: {
      Networks: {
        internal: { IPAddress: "", GlobalIPv6Address: "2001:db8::7" },
        compute: { IPAddress: "172.18.0.7", GlobalIPv6Address: "" },
      },
    },
    ...more,
  };
}

function read(containers: readonly unknown[], reach: Partial<Reach> = {}) {
  const list = parseContainers(JSON.stringify(containers), { published: false, ...reach });
  assert(list.ok);
  return { backends: list.value.backends.map(backendText), skipped: list.value.skipped.join("; ") };
}

Deno.test("a container is reached in its network, by its label's port or the source's", () => {
  const labels = (labels: object) => ({ Labels: labels });
  assertEquals(read([container("b"), container("a")]).backends, ["172.18.0.7:1?"]);
  assertEquals(read([container("a")], { network: "internal", port: 22 }).backends, [
    "[2001:db8::7]:22",
  ]);
  const figures = {
    "compute-lb.port": "2222",
    "compute-lb.cores": "8",
    "compute-lb.weight": "0.5",
    "compute-lb.max_connections": "9",
  };
  assertEquals(read([container("a", labels(figures))], { port: 22 }).backends, [
    "172.18.0.7:2222 cores=8 weight=0.5 maxConnections=9",
  ]);
  for (const [label, message] of [["port", /"x" as a port/], ["cores", /"x" as cores/]] as const) {
    const { backends, skipped } = read([container("a", labels({ [`compute-lb.${label}`]: "x" }))]);
    assertEquals(backends, []);
    assertMatch(skipped, message);
  }
  assertMatch(
    read([container("a")], { network: "other" }).skipped,
    /^container a: it has no address in network other: its networks are compute, internal$/,
  );
  const onHost = { HostConfig: { NetworkMode: "host" }, NetworkSettings: { Networks: null } };
  assertEquals(read([container("a", onHost)], { port: 22 }).backends, ["127.0.0.1:22"]);
});

Deno.test("a published port is the host's, where it is plain which one", () => {
  const published = true;
  assertEquals(read([container("a")], { published, port: 22 }).backends, ["127.0.0.1:2201"]);
  assertEquals(read([container("a")], { published }).backends, ["127.0.0.1:2201"]);
  assertMatch(
    read([container("a")], { published, port: 80 }).skipped,
    /^container a: Cannot tell its port: expected 80, and it publishes 22$/,
  );
  const two = {
    Ports: [
      { IP: "192.0.2.1", PrivatePort: 22, PublicPort: 2201, Type: "tcp" },
      { PrivatePort: 23, PublicPort: 2301, Type: "tcp" },
    ],
  };
  assertEquals(read([container("a", two)], { published, port: 22 }).backends, ["192.0.2.1:2201"]);
  assertMatch(read([container("a", two)], { published }).skipped, /expected one, and it publishes/);
});

Deno.test("any JSON is read or refused", () => {
  fc.assert(fc.property(fc.json(), fc.boolean(), (text, published) => {
    const list = parseContainers(text, { published });
    assertEquals(list.ok, Array.isArray(JSON.parse(text)));
  }));
  const odd = fc.array(fc.object({ key: fc.constantFrom("Names", "Ports", "NetworkSettings") }));
  fc.assert(fc.property(odd, (containers) => {
    assertEquals(read(containers).backends, []);
  }));
});
