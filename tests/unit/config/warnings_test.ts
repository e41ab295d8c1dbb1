import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { warningsOf } from "../../../lib/config/warnings.ts";
import { readConfig } from "../../../lib/config/read_config.ts";
import { type Network, parseNetwork, widened } from "../../../lib/core/values/network.ts";

function warnings(pool: object, frontend: object = {}): string[] {
  const text = JSON.stringify({
    frontends: { f: { listen: ":22", pool: "p", ...frontend } },
    pools: {
      p: { backends: ["hoek", "kelvin"], ...pool },
      ...("location" in frontend ? { q: { backends: ["euler"] } } : {}),
    },
  });
  const result = readConfig({ file: { path: "lb.conf", text } });
  if (!result.ok) throw new Error(result.errors.map(({ message }) => message).join("\n"));
  return warningsOf(result.config);
}

function network(text: string) {
  const parsed = parseNetwork(text);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

Deno.test("warningsOf() finds nothing odd in an ordinary configuration", async () => {
  assertEquals(warnings({}), []);
  const example = new URL("../../../lb.conf.example", import.meta.url);
  const read = readConfig({ file: { path: "e", text: await Deno.readTextFile(example) } });
  assertEquals(read.ok && warningsOf(read.config), []);
});

Deno.test("warningsOf() finds networks that an earlier rule takes away", () => {
  const location = [
    { networks: ["10.0.0.0/8", "2001:db8::/32"], pool: "q" },
    { networks: ["10.1.0.0/16", "192.0.2.0/24", "2001:db8:1::/48"], pool: "p" },
    { networks: ["10.2.0.0/16"], pool: "q" },
  ];
  assertEquals(warnings({}, { location }), [
    "frontends.f.location[1]: nobody from 10.1.0.0/16 goes to p: location[0] sends them to q before",
    "frontends.f.location[1]: nobody from 2001:db8:1::/48 goes to p: location[0] sends them to q " +
    "before",
  ]);
});

Deno.test("warningsOf() finds the mode of a socket that is none", () => {
  assertEquals(warnings({}, { socket_mode: "0600" }), [
    "frontends.f.socket_mode: has no effect: it listens on no unix socket",
  ]);
  const listen = [":22", "unix:/run/f.sock"];
  assertEquals(warnings({ backends: ["hoek:22"] }, { listen, socket_mode: "0600" }), []);
  assertEquals(warnings({}, { socket_mode: "umask" }), []);
});

Deno.test("warningsOf() finds networks that are allowed in vain", () => {
  const allow = ["10.0.0.0/8", "10.1.2.0/24", "192.0.2.7", "2001:db8::/64", "file:/a"];
  assertEquals(warnings({}, { allow, deny: ["10.1.0.0/16", "2001:db8::/32", "file:/d"] }), [
    "frontends.f.allow: nobody from 10.1.2.0/24 may come in: deny has 10.1.0.0/16",
    "frontends.f.allow: nobody from 2001:db8::/64 may come in: deny has 2001:db8::/32",
  ]);
});

Deno.test("warningsOf() finds limits without effect", () => {
  const perSource = { max_connections: "9", rate: "10/1m" };
  const backends = ["hoek:22"];
  const unix = { listen: "unix:/run/f.sock", allow: "10.0.0.0/8", deny: "file:/d" };
  assertEquals(warnings({ backends }, { ...unix, per_source: perSource }), [
    "frontends.f.allow: has no effect: it listens on unix sockets alone",
    "frontends.f.deny: has no effect: it listens on unix sockets alone",
    "frontends.f.per_source: has no effect: it listens on unix sockets alone",
  ]);
  const penalty = { ...perSource, rate: "off", penalty: "1m" };
  assertEquals(warnings({}, { max_connections: "9", per_source: penalty }), [
    "frontends.f.per_source.max_connections: has no effect: all may have 9 (max_connections)",
    "frontends.f.per_source.penalty: has no effect: there is no rate",
  ]);
  assertEquals(warnings({}, { max_connections: "0", when_full: "close", per_source: perSource }), [
    "frontends.f.when_full: has no effect: no max_connections",
  ]);
  assertEquals(warnings({}, { per_source: perSource, when_full: "close" }), []);
});

Deno.test("warningsOf() finds proxies that are everybody, or that nobody hears", () => {
  const listen = [":22", "unix:/run/f.sock"];
  const proxies = (accept_proxy_from: readonly string[], on: readonly string[] = listen) =>
    warnings({ backends: ["hoek:22"] }, { listen: on, accept_proxy_from });
  assertEquals(proxies(["192.0.2.10", "2001:db8::/64", "10.0.0.0/8"]), []);
  assertEquals(proxies([], ["unix:/run/f.sock"]), []);
  assertEquals(proxies(["10.0.0.0/8", "0.0.0.0/0", "::/0"]), [
    "frontends.f.accept_proxy_from: 0.0.0.0/0 and ::/0 is everybody: whoever connects can claim any " +
    "address: expected the addresses of your proxies",
  ]);
  assertEquals(proxies(["192.0.2.10"], ["unix:/run/f.sock"]), [
    "frontends.f.accept_proxy_from: has no effect: it listens on unix sockets alone",
  ]);
});

Deno.test("warningsOf() finds settings that a load source makes vain", () => {
  const load = { source: "http", http: { url: "http://monitor:9/load" } };
  assertEquals(warnings({ load }), [
    'pools.p.load.http.url: all backends are asked for their load at "http://monitor:9/load": ' +
    "expected {host}, {port} or {backend} in it",
  ]);
  assertEquals(warnings({ load: { ...load, http: { url: "http://monitor/{backend}" } } }), []);
  assertEquals(
    warnings({ memory: { min_available: "1GiB" }, pressure: { max_cpu: "50%" } }),
    [
      "pools.p.memory: has no effect: load by nrpe does not tell memory",
      "pools.p.pressure: has no effect: load by nrpe does not tell pressure",
    ],
  );
  const backends = ["hoek", { address: "kelvin", load: { source: "ssh" } }];
  assertEquals(
    warnings({ backends, memory: { min_available: "10%" }, pressure: { max_cpu: "50%" } }),
    [],
  );
  assertEquals(warnings({ strategy: "first", load: { source: "ssh" }, memory: { weight: 1 } }), [
    "pools.p.memory.weight: has no effect: first does not heed it",
  ]);
  assertEquals(warnings({ backends: [{ address: "hoek", weight: 0 }] }), [
    "pools.p: every backend has weight 0: clients are turned away",
  ]);
});

Deno.test("warningsOf() finds samples that are too old before the next ones come", () => {
  const load = { interval: "10s", timeout: "2s" };
  const odd =
    "pools.p.load.max_age: samples are too old after 10s, before the next ones may come: " +
    "expected 13s or more, which is an interval, a tenth of it and the timeout";
  assertEquals(warnings({ load: { ...load, max_age: "10s" } }), [odd]);
  assertEquals(warnings({ load: { ...load, max_age: "13s" } }), []);
  assertEquals(warnings({ load: { ...load, max_age: "10s", source: "none" } }), []);
});

Deno.test("widened() leads to the networks that hold every address of another one", () => {
  const isWithin = (inner: Network, outer: Network) =>
    inner.prefix >= outer.prefix &&
    JSON.stringify(widened(inner, outer.prefix)) === JSON.stringify(outer);
  assertEquals(isWithin(network("10.1.0.0/16"), network("::/0")), false);
  assertEquals(isWithin(network("2001:db8:0:1::/64"), network("2001:db8::/33")), true);
  assertEquals(isWithin(network("2001:db8:8000::/64"), network("2001:db8::/33")), false);
  const prefix = fc.integer({ min: 0, max: 32 });
  const word = fc.integer({ min: 0, max: 0xffff_ffff });
  const cut = (value: number, bits: number) =>
    bits === 0 ? 0 : (value >>> (32 - bits) << (32 - bits)) >>> 0;
  fc.assert(fc.property(word, word, prefix, prefix, fc.boolean(), (a, b, p, q, near) => {
    const inner = { words: [cut(a, p)], prefix: p };
    const outer = { words: [cut(near ? a : b, q)], prefix: q };
    const first = inner.words[0] ?? 0;
    const last = first + 2 ** (32 - p) - 1;
    const from = outer.words[0] ?? 0;
    assertEquals(isWithin(inner, outer), from <= first && last <= from + 2 ** (32 - q) - 1);
  }));
});

Deno.test("warningsOf() finds what a strategy would heed, in a pool that is fed", () => {
  const fed = { backends: [], feed: "tcp://gen:7000" };
  assertEquals(warnings(fed), []);
  const vain = { strategy: "random", sticky: { by: "source" }, pace: { sessions: 7 } };
  assertEquals(
    warnings({ ...fed, ...vain, on_empty: "clear" }),
    ["strategy", "sticky", "pace", "on_empty"].map((key) =>
      `pools.p.${key}: has no effect: tokens of the feed say where clients go`
    ),
  );
});

Deno.test("warningsOf() finds on_empty where nobody discovers", () => {
  assertEquals(warnings({ on_empty: "clear", discovery: "file:/hosts" }), []);
  assertEquals(warnings({ on_empty: "clear" }), [
    "pools.p.on_empty: has no effect: expected discovery beside it",
  ]);
});

Deno.test("warningsOf() finds a command that nothing sets off", () => {
  const exec = ["/bin/scale"];
  assertEquals(warnings({ scale: { exec, up_when: "queued > 0" } }), []);
  assertEquals(warnings({ scale: { exec } }), [
    "pools.p.scale.exec: has no effect: expected up_when or down_when beside it",
  ]);
});
