import { assertEquals } from "@std/assert";
import { consul } from "../../../lib/discovery/consul.ts";
import type { DiscoveredList } from "../../../lib/discovery/discovery_source.ts";
import { etcd } from "../../../lib/discovery/etcd.ts";
import { discoverySource } from "../../../lib/discovery/registry.ts";
import { httpServer, ServersInTurn } from "../../../lib/discovery/servers.ts";
import { zk } from "../../../lib/discovery/zookeeper.ts";
import { readDeclared } from "../../../lib/schema/declarations.ts";

/** What lb.conf would say in place of a text, without what nobody set; or what is wrong with it. */
function read(text: string) {
  const read = readDeclared(discoverySource, text);
  return read.ok ? discoverySource.write(read.value) : read.issues.map(({ message }) => message);
}

Deno.test("a text says which servers, and what is asked of them", () => {
  assertEquals(read("etcd://a,b:1,[::1]/compute/"), {
    source: "etcd",
    prefix: "/compute/",
    servers: ["http://a:2379", "http://b:1", "http://[::1]:2379"],
  });
  assertEquals(read("etcds://a/x"), {
    source: "etcd",
    prefix: "/x",
    servers: ["https://a:2379"],
  });
  const zookeeper = {
    source: "zk",
    path: "/compute/ssh",
    servers: ["a:2181", "b:1"],
    tls: false,
  };
  assertEquals(read("zk://a,b:1/compute/ssh"), zookeeper);
  assertEquals(read("zookeeper://a,b:1/compute/ssh/"), zookeeper);
  assertEquals(read("consul://a/ssh"), {
    source: "consul",
    service: "ssh",
    servers: ["http://a:8500"],
    tags: [],
  });
  assertEquals(read("consuls:///ssh"), {
    source: "consul",
    service: "ssh",
    servers: ["https://localhost:8501"],
    tags: [],
  });
});

Deno.test("a text that says too little, or what cannot be, is rejected", () => {
  assertEquals(read("etcd://a"), [
    "Cannot use source: etcd without prefix, such as /compute/ (each key that begins so is a backend: " +
    "its value, else its last part)",
  ]);
  assertEquals(read("consul://a/"), [
    "Cannot use source: consul without service, such as ssh (instances whose checks pass are backends; " +
    "meta: cores and max_connections)",
  ]);
  assertEquals(read("zk://a,,b/x"), [
    'Cannot read "" as an address: host is empty, expected "host:port", "[IPv6]:port" or "unix:/path"',
  ]);
  assertEquals(read("zk://a/x//y"), [
    'Cannot use "/x//y" as the path of a node: expected "/compute"',
  ]);
  assertEquals(read("etcd://me@a/x"), [
    'Cannot read "me@a" as a host: expected a name, IPv4 or [IPv6]',
  ]);
});

Deno.test("refresh takes the same as arguments; ZooKeeper's as lbtk and its clients have them", () => {
  assertEquals(etcd.about.fromArguments(["a,b:1", "/compute/"]), {
    ok: true,
    value: { servers: ["a", "b:1"], prefix: "/compute/" },
  });
  assertEquals(consul.about.fromArguments(["a", "ssh"]), {
    ok: true,
    value: { servers: ["a"], service: "ssh" },
  });
  for (const url of ["a:2181,b", "zk://a:2181,b", "zk://a:2181,b/"]) {
    assertEquals(zk.about.fromArguments([url, "/compute"]), {
      ok: true,
      value: { servers: ["a:2181", "b"], path: "/compute" },
    });
  }
  assertEquals(zk.about.fromArguments(["a/root", "/compute"]), {
    ok: true,
    value: { servers: ["a"], path: "/root/compute" },
  });
  for (const kind of [etcd, consul, zk]) {
    for (const args of [[], ["a"], ["a", "/b", "c"]]) {
      assertEquals(kind.about.fromArguments(args).ok, false);
    }
  }
});

Deno.test("httpServer() takes a host, or a URL without a path", () => {
  const server = httpServer(1, 2);
  const shown = (text: string) => {
    const read = server.read(text);
    return read.ok ? read.value : "rejected";
  };
  assertEquals(shown("a"), "http://a:1");
  assertEquals(shown("https://a/"), "https://a:2");
  assertEquals(shown("http://[::1]:7"), "http://[::1]:7");
  const wrong = ["", "a/b", "https://a/b", "ftp://a", "unix:/x", "https://", "a:0", "u:p@a"];
  assertEquals(wrong.map(shown), wrong.map(() => "rejected"));
});

Deno.test("servers are asked in turn: the next when one cannot be, or has stopped", async () => {
  const asked: string[] = [];
  const empty: DiscoveredList = { backends: [], skipped: [] };
  const spoken = new Set<string>();
  class Scripted extends ServersInTurn<string> {
    protected override async *watchOne(server: string) {
      asked.push(server);
      await Promise.resolve();
      if (spoken.has(server)) yield empty;
      throw new Error(`${server} fails`);
    }
  }
  const servers = new Scripted(["a", "b", "c"]);
  const signal = new AbortController().signal;
  const round = async () => {
    const lists: DiscoveredList[] = [];
    try {
      for await (const list of servers.watch(signal)) lists.push(list);
      return "ended";
    } catch (error) {
      return `${lists.length} lists; ${error instanceof Error ? error.message : error}`;
    }
  };
  assertEquals(await round(), "0 lists; a fails; b fails; c fails");
  spoken.add("b");
  assertEquals(await round(), "1 lists; b fails");
  assertEquals(await round(), "1 lists; b fails");
  assertEquals(asked.join(""), "abcabcab");
  assertEquals(
    await new Scripted([]).watch(signal).next().catch(({ message }) => message),
    "no server to ask: expected one at least",
  );
});
