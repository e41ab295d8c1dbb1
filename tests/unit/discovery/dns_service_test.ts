import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { byPriority, weighted } from "../../../lib/discovery/dns_service.ts";
import { candidates, parseResolvConf } from "../../../lib/discovery/resolv_conf.ts";

function target(name: string, weight: number, priority = 0, port = 22) {
  const record = { type: "SRV", name: "_ssh._tcp.example", ttlSeconds: 60 } as const;
  return { ...record, priority, weight, port, target: name };
}

/** "host:port weight" of each. */
function shown(targets: readonly ReturnType<typeof target>[], addresses: Record<string, string[]>) {
  return weighted(targets, new Map(Object.entries(addresses))).map(({ address, weight }) => {
    const { address: place, hasPort } = address;
    assert(place.transport === "tcp" && hasPort);
    return `${place.host}:${place.port} ${weight}`;
  });
}

Deno.test("byPriority() puts the lowest number first", () => {
  const groups = byPriority([target("c", 0, 20), target("a", 0, 10), target("b", 0, 20)]);
  assertEquals(groups.map((group) => group.map(({ target }) => target)), [["a"], ["c", "b"]]);
  assertEquals(byPriority([]), []);
});

Deno.test("weighted() takes weights as they are, brings high ones below 256, and has 0 mean little", () => {
  const addresses = { a: ["192.0.2.1"], b: ["192.0.2.2"], c: ["192.0.2.3"] };
  assertEquals(
    shown([target("b", 20), target("a", 60), target("c", 0, 0, 23)], addresses),
    ["192.0.2.1:22 60", "192.0.2.2:22 20", "192.0.2.3:23 0.001"],
  );
  assertEquals(
    shown([target("a", 65535), target("b", 32768), target("c", 1)], addresses),
    ["192.0.2.1:22 256", "192.0.2.2:22 128.002", "192.0.2.3:22 0.004"],
  );
  // Equal, which is what backend_defaults may change.
  assertEquals(
    shown([target("a", 0), target("b", 0)], addresses),
    ["192.0.2.1:22 undefined", "192.0.2.2:22 undefined"],
  );
  // A host that has two addresses counts once, one that has none not at all.
  assertEquals(
    shown([target("a", 10), target("b", 10)], { a: ["192.0.2.1", "2001:db8::1"] }),
    ["192.0.2.1:22 5", "2001:db8::1:22 5"],
  );
});

Deno.test("weights are within range, in proportion, and in an order that stays", () => {
  const weight = fc.integer({ min: 0, max: 0xffff });
  fc.assert(fc.property(fc.array(weight, { minLength: 1, maxLength: 50 }), (weights) => {
    const targets = weights.map((weight, at) => target(`h${at}`, weight));
    const addresses = new Map(targets.map(({ target }) => [target, [target]]));
    const backends = weighted(targets, addresses);
    assertEquals(weighted(targets.toReversed(), addresses), backends);
    const of = new Map(backends.map((one) => {
      assert(one.address.address.transport === "tcp");
      return [one.address.address.host, one.weight];
    }));
    const highest = Math.max(...weights);
    for (const { target, weight } of targets) {
      const given = of.get(target);
      if (highest === 0) assertEquals(given, undefined);
      else {
        assert(given !== undefined && given > 0 && given <= 256);
        assertAlmostEquals(given, weight * Math.min(1, 256 / highest), 0.002);
      }
    }
  }));
});

Deno.test("parseResolvConf() takes what the system's resolver takes", () => {
  const conf = parseResolvConf(
    "# comment\ndomain old.example\nnameserver 192.0.2.53\nnameserver 2001:db8::53 ; two\n" +
      "nameserver names.are.none\nsearch lab.example. example\noptions edns0 ndots:2\n",
  );
  assertEquals(conf.servers.map(({ host, port }) => `${host} ${port}`), [
    "192.0.2.53 53",
    "2001:db8::53 53",
  ]);
  assertEquals(candidates("hoek", conf), ["hoek.lab.example", "hoek.example", "hoek"]);
  assertEquals(candidates("a.b.c", conf), ["a.b.c", "a.b.c.lab.example", "a.b.c.example"]);
  assertEquals(candidates("hoek.", conf), ["hoek"]);
  const none = parseResolvConf("search .\n");
  assertEquals(none.servers, [{ transport: "tcp", host: "127.0.0.1", port: 53 }]);
  assertEquals(candidates("hoek", none), ["hoek"]);
  assertEquals(parseResolvConf("nameserver ::1\n".repeat(9)).servers.length, 3);
});
