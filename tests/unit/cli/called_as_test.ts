import { assertEquals } from "@std/assert";
import { DISCOVERY_SOURCE_KINDS } from "../../../lib/discovery/registry.ts";
import { asCalled, LBTK_NAMES } from "../../../lib/cli/called_as.ts";

/** Calls as lbtk's README and sources have them. */
const CALLS: Readonly<Record<string, string>> = {
  "refresh-static 127.0.0.1:8000 127.0.0.1:8001": "refresh static 127.0.0.1:8000 127.0.0.1:8001",
  "refresh-file /etc/list": "refresh file /etc/list",
  "refresh-zk 127.0.0.1:2181 /base": "refresh zk 127.0.0.1:2181 /base",
  "refresh-etcd x": "refresh etcd x",
  "refresh-dns x": "refresh dns x",
  "refresh-oio-cluster.sh NS rawx": "refresh oio_cluster NS rawx",
  "refresh-oio-proxy.py --proxy h:1 NS rawx": "refresh oio_proxy --proxy h:1 NS rawx",
  "gen tcp://127.0.0.1:1024": "gen tcp://127.0.0.1:1024",
  "gen -rand tcp://127.0.0.1:1024": "gen -rand tcp://127.0.0.1:1024",
  "proxy-tcp 127.0.0.1:8080,tcp://127.0.0.1:1024": "proxy 127.0.0.1:8080,tcp://127.0.0.1:1024",
  "proxy-tcp-splice -f -d 127.0.0.1:80 tcp://127.0.0.1:1":
    "proxy -f -d 127.0.0.1:80 tcp://127.0.0.1:1",
  "echo-tcp :1": "echo :1",
  "echo-tcp-splice -d -f :1 :2": "echo -d -f :1 :2",
};

Deno.test("called by lbtk's names, the program does what lbtk's programs did", () => {
  for (const [line, meant] of Object.entries(CALLS)) {
    const [name, ...args] = line.split(" ");
    assertEquals(asCalled(name, args).join(" "), meant);
  }
  const called = new Set(Object.keys(CALLS).map((line) => line.split(" ")[0]));
  assertEquals(LBTK_NAMES.filter((name) => !called.has(name)), []);
});

Deno.test("by any other name, the program is itself", () => {
  for (const name of [undefined, "", "compute-lb", "toString", "__proto__", "refresh-"]) {
    assertEquals(asCalled(name, ["-rand", "x"]), ["-rand", "x"]);
  }
});

Deno.test("each of lbtk's refreshers is a kind of source", () => {
  const kinds: readonly string[] = DISCOVERY_SOURCE_KINDS.map(({ name }) => name);
  const refreshers = LBTK_NAMES.map((name) => asCalled(name, []))
    .filter(([command]) => command === "refresh");
  assertEquals(refreshers.length, 7);
  assertEquals(refreshers.map(([, kind = ""]) => kind).filter((kind) => !kinds.includes(kind)), []);
});
