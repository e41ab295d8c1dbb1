// The discovery source consul against a fake that does what Consul's documentation says (consul_fake.ts): Debian
// has no Consul.

import { assertEquals } from "@std/assert";
import { Consul } from "../peers/consul.ts";
import { needs } from "../support/needs.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { SourceWatcher } from "../support/source_watcher.ts";

Deno.test("consul: instances are followed, and Consul may come late, stop, end and come back", async () => {
  await using consul = new Consul();
  await using watcher = new SourceWatcher(`consul://${consul.address}/ssh`);
  await watcher.fails(/^connection refused \(127/);
  await consul.start();
  await watcher.has();
  await consul.register({
    ID: "a",
    Address: "hoek",
    Port: 22,
    Meta: { cores: "12", max_connections: "50", owner: "us" },
    Weights: { Passing: 10, Warning: 1 },
  });
  const hoek = "hoek:22 cores=12 weight=10 maxConnections=50";
  await watcher.has(hoek);
  await consul.register(
    { ID: "b", Port: 2222, Tags: ["login", "x"], Weights: { Passing: 65535, Warning: 1 } },
    { ID: "d", Address: "no address", Port: 22 },
    { ID: "e", Name: "http", Address: "other", Port: 80 },
    // They come one by one: with the last of them all are there.
    { ID: "c", Address: "fe80::1", Meta: { cores: "many" } },
  );
  const b = "10.9.9.9:2222 weight=256";
  await watcher.has(hoek, b, "[fe80::1]:1? weight=1");
  assertEquals(watcher.lists.at(-1)?.skipped.length, 1);
  await using tagged = new SourceWatcher({
    source: "consul",
    servers: consul.address,
    service: "ssh",
    tags: ["login", "x"],
    datacenter: "dc1",
  });
  await tagged.has(b);
  await consul.deregister("c", "d");
  await consul.check("a", "critical");
  await watcher.has(b);
  await tagged.has(b);
  await consul.check("a", "passing");
  await watcher.has(hoek, b);
  const many = Array.from({ length: 1000 }, (_, at) => `10.1.${at >> 8}.${at & 255}`);
  await consul.register(...many.map((Address) => ({ ID: Address, Address, Port: 22 })));
  await watcher.has(hoek, b, ...many.map((one) => `${one}:22 weight=1`));
  await consul.deregister(...many, "b");
  await watcher.has(hoek);

  consul.stop();
  await watcher.fails(/^no answer within 14s \(127/);
  assertEquals(watcher.pool, hoek);
  consul.go();
  await consul.register({ ID: "on", Address: "on", Port: 22 });
  await watcher.has(hoek, "on:22 weight=1");

  // A new one counts its changes from the beginning: its index is lower.
  await consul.kill();
  await consul.start();
  await consul.register({ ID: "again", Address: "again", Port: 22 });
  await watcher.has("again:22 weight=1");
});

Deno.test("consul: a question that waits is answered at a change", async () => {
  // Time goes so slowly that nothing else can tell of it before the test gives up.
  await using consul = new Consul(0.1);
  await consul.start();
  await using watcher = new SourceWatcher(`consul://${consul.address}/ssh`, 0.1);
  await watcher.has();
  await consul.register({ ID: "a", Address: "hoek", Port: 22 });
  await watcher.has("hoek:22 weight=1");
});

Deno.test("consul: an index that goes backwards, or is none, is no reason to miss a change or to ask all the time", async () => {
  const instance = (host: string) => [{ Service: { Address: host, Port: 22 } }];
  const asked: (string | null)[] = [];
  const answers: [index: string, host: string][] = [["7", "a"], ["3", "b"], ["5", "c"], ["0", "d"]];
  const end = Promise.withResolvers<void>();
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async ({ url }) => {
      asked.push(new URL(url).searchParams.get("index"));
      const next = answers.shift();
      // From now on nothing changes.
      if (next === undefined) await end.promise;
      const [index = "", host = ""] = next ?? [];
      return Response.json(instance(host), { headers: { "x-consul-index": index } });
    },
  );
  await using watcher = new SourceWatcher(`consul://127.0.0.1:${server.addr.port}/ssh`);
  await watcher.has("d:22");
  assertEquals(asked.slice(0, 4), [null, "7", null, "5"]);
  await watcher.fails(/^no answer within 5s/);
  assertEquals(asked[4], null);
  end.resolve();
});

Deno.test({
  ...needs("root", "ip", "unshare"),
  name: "consul: of several the next is asked when one is cut off; tokens may be needed",
  fn: async () => {
    await using folder = new TemporaryDirectory();
    await using first = new Consul();
    await using second = new Consul();
    const network = await first.moveAway();
    await Promise.all([first.start(), second.start()]);
    await first.register({ ID: "a", Address: "first", Port: 22 });
    await second.register({ ID: "a", Address: "second", Port: 22 });
    await using watcher = new SourceWatcher(`consul://${first.address},${second.address}/ssh`);
    await watcher.has("first:22 weight=1");
    await Deno.writeTextFile(`${folder.path}/token`, "wrong\n");
    await using refused = new SourceWatcher({
      source: "consul",
      servers: second.address,
      service: "ssh",
      token_file: `${folder.path}/token`,
    });
    await refused.fails(/^the token may not read the service and its nodes \(127/);
    assertEquals(refused.lists, []);
    await Deno.writeTextFile(`${folder.path}/token`, "right\n");
    await refused.has("second:22 weight=1");
    await network.cut();
    await watcher.fails(/^no answer within 14s \(198/);
    await watcher.has("second:22 weight=1");
    await network.mend();
    await second.kill();
    await watcher.has("first:22 weight=1");
  },
});

/** What answers in place of Consul, and what is said of it. */
const GARBAGE: readonly (readonly [body: string, reason: RegExp, status?: number])[] = [
  ["", /^Cannot read "" as JSON/],
  ["<html>hello", /^Cannot read "<html>hello"/],
  ["{}", /^Cannot use an object: expected a list of instances$/],
  ["null", /^Cannot use null: expected a list of instances$/],
  ["[[", /^Cannot read "\[\[" as JSON/],
  ["x".repeat(17 * 1_048_576), /^answered more than 16777216 bytes/],
  ["No cluster leader", /^HTTP 500 Internal Server Error: No cluster leader \(127/, 500],
  ["Permission denied", /^HTTP 403 Forbidden: Permission denied \(127/, 403],
];

Deno.test("consul: an answer that is none is a failure and never a list", async () => {
  for (const [body, reason, status = 200] of GARBAGE) {
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      () => new Response(body, { status, headers: { "x-consul-index": "3" } }),
    );
    await using watcher = new SourceWatcher(`consul://127.0.0.1:${server.addr.port}/ssh`);
    await watcher.fails(reason);
    assertEquals(watcher.lists, []);
  }
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response('[7, {"Service": 3}, null, {"Service": {"Address": {}, "Port": "x"}}]'),
  );
  await using watcher = new SourceWatcher(`consul://127.0.0.1:${server.addr.port}/ssh`);
  await watcher.fails(/^Consul has answered without an index \(127/);
  assertEquals(watcher.lists.flatMap(({ backends }) => backends), []);
});
