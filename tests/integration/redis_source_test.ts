import { assertEquals, assertMatch } from "@std/assert";
import { BlackHole } from "../peers/black_hole.ts";
import { RedisServer } from "../peers/redis.ts";
import { Chance } from "../support/chance.ts";
import { TcpPeer } from "../peers/tcp_peer.ts";
import { makeCertificates } from "../support/certificates.ts";
import { freePort } from "../support/processes.ts";
import { RedisWatcher } from "../support/redis_watcher.ts";
import { requirePeer } from "../support/require_peer.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { waitFor, within } from "../support/wait_for.ts";

const REDIS = requirePeer("redis-server", "redis-cli");
const A = "127.0.0.1:6000";
const B = "127.0.0.1:3000";
const C = "127.0.0.1:5000";

async function holds(redis: RedisServer, key: string, text: string): Promise<void> {
  await waitFor(`${key} to be ${text}`, async () => await redis.cli("get", key) === text);
}

/** Publishes once somebody listens. */
async function published(redis: RedisServer, channel: string, text: string): Promise<void> {
  await waitFor("a subscriber", async () => await redis.cli("publish", channel, text) !== "0");
}

Deno.test({
  ...REDIS,
  name: "servers join and leave by the channels, and the key says which are used",
  fn: async () => {
    await using redis = await RedisServer.start();
    await redis.cli("set", "serverPool", `["${A}","${B}"]`);
    await using watcher = new RedisWatcher(redis.url);
    await watcher.has(A, B);
    assertEquals(await redis.cli("publish", "addServer", C), "1");
    await holds(redis, "serverPool", `["${A}","${B}","${C}"]`);
    await watcher.has(A, B, C);
    await redis.cli("publish", "addServer", C);
    await redis.cli("publish", "addServer", "compute1.example.org:22");
    await holds(redis, "serverPool", `["${A}","${B}","${C}","compute1.example.org:22"]`);
    await redis.cli("publish", "removeServer", "Compute1.example.org:22");
    await redis.cli("publish", "removeServer", A);
    await redis.cli("publish", "removeServer", "127.0.0.1:9");
    await holds(redis, "serverPool", `["${B}","${C}"]`);
    await watcher.has(B, C);
    await redis.cli("publish", "addServer", "no server");
    await waitFor("a word about it", () => watcher.said.length > 0);
    assertEquals(watcher.said, [
      'Cannot use "no server" on the channel "addServer": Cannot read "server" behind a backend: ' +
      "expected cores=N, weight=W or max_connections=N",
    ]);
    await redis.cli("publish", "removeServer", B);
    await redis.cli("publish", "removeServer", C);
    await holds(redis, "serverPool", "[]");
    await watcher.has();
    assertEquals(watcher.lists.at(-1)?.isMeant, true);
    assertEquals(watcher.failures, []);
  },
});

Deno.test({
  ...REDIS,
  name: "a server that fails is kept in another key, comes back, and is not lost by a restart",
  fn: async () => {
    await using redis = await RedisServer.start();
    await redis.cli("set", "serverPool", `["${A}","${B}"]`);
    {
      await using watcher = new RedisWatcher(redis.url);
      await watcher.has(A, B);
      watcher.setDown(A);
      await holds(redis, "serverPool", `["${B}"]`);
      await holds(redis, "serverPool:retired", `["${A}"]`);
      // Added again while it is retired, it is no other server.
      await redis.cli("publish", "addServer", A);
      await redis.cli("publish", "addServer", C);
      await holds(redis, "serverPool", `["${B}","${C}"]`);
      await watcher.has(A, B, C);
    }
    // The one that ends gives the lease back.
    assertEquals(await redis.cli("get", "serverPool:lease"), "");
    await using watcher = new RedisWatcher(redis.url);
    await holds(redis, "serverPool", `["${B}","${C}","${A}"]`);
    await watcher.has(A, B, C);
    await holds(redis, "serverPool:retired", "");
    watcher.setDown(B);
    await holds(redis, "serverPool:retired", `["${B}"]`);
    await redis.cli("publish", "removeServer", B);
    await holds(redis, "serverPool:retired", "");
    await watcher.has(A, C);
  },
});

Deno.test({
  ...REDIS,
  name: "without the key there is nothing yet, and an administrator's word is obeyed",
  fn: async () => {
    await using redis = await RedisServer.start();
    await using watcher = new RedisWatcher(redis.url);
    await waitFor("a word about the key", () => watcher.said.length > 0);
    assertEquals(watcher.said, [
      'has no key "serverPool": waiting for it, or for a server on the channel "addServer"',
    ]);
    await redis.cli("publish", "addServer", A);
    await holds(redis, "serverPool", `["${A}"]`);
    await redis.cli("set", "serverPool", ` [ "${B}", "junk!", 7, "${C}", "${B}" ] `);
    await watcher.has(B, C);
    assertEquals(watcher.lists.at(-1)?.skipped, [
      'item 2: Cannot read "junk!" as a host: expected a name, IPv4 or [IPv6]',
      'item 3: Cannot use 7: expected "host:port"',
    ]);
    watcher.setDown(C);
    await holds(redis, "serverPool:retired", `["${C}"]`);
    // Gone by mistake: those that are known are written again.
    await redis.cli("del", "serverPool");
    await holds(redis, "serverPool", `["${B}"]`);
    await redis.cli("flushall");
    await holds(redis, "serverPool", `["${B}"]`);
    await holds(redis, "serverPool:retired", `["${C}"]`);
    await watcher.has(B, C);
    await redis.cli("publish", "removeServer", C);
    await holds(redis, "serverPool:retired", "");
    await redis.cli("set", "serverPool", "[]");
    await watcher.has();
    assertEquals(watcher.lists.at(-1)?.isMeant, true);
  },
});

Deno.test({
  ...REDIS,
  name: "a key that nobody can read keeps the pool, and is obeyed once it is mended",
  fn: async () => {
    await using redis = await RedisServer.start();
    await redis.cli("set", "serverPool", `["${A}"]`);
    await using watcher = new RedisWatcher(redis.url);
    const failure = async (pattern: RegExp) => {
      await waitFor(`a failure like ${pattern}`, () => pattern.test(watcher.failures.at(-1) ?? ""));
    };
    await watcher.has(A);
    await redis.cli("lpush", "list", A);
    await redis.cli("setrange", "long", "4194305", "x");
    await redis.cli("eval", "redis.call('set', 'binary', string.char(34, 255, 34))", "0");
    for (
      const [name, pattern] of [
        ["list", /^Cannot read the key "serverPool": it holds no string/],
        ["long", /expected at most 4194304 bytes/],
        ["binary", /it is no UTF-8/],
      ] as const
    ) {
      await redis.cli("rename", name, "serverPool");
      await failure(pattern);
    }
    for (
      const [text, pattern] of [
        ['{"a":1}', /^Cannot use an object: expected a JSON list/],
        ["[127.0.0.1:6000]", /^Cannot read "\[127.*expected a JSON list/],
      ] as const
    ) {
      await redis.cli("set", "serverPool", text);
      await failure(pattern);
    }
    assertEquals([watcher.pool, watcher.lists.length], [A, 1]);
    await published(redis, "addServer", C);
    await redis.cli("set", "serverPool", `["${B}"]`);
    await holds(redis, "serverPool", `["${B}","${C}"]`);
    await watcher.has(B, C);
  },
});

Deno.test({
  ...REDIS,
  name: "three balancers agree through 500 changes, with each other and with the key",
  fn: async () => {
    await using redis = await RedisServer.start();
    await redis.cli("set", "serverPool", `["${A}","${B}"]`);
    const watchers: RedisWatcher[] = [];
    await using _ = new AsyncDisposableStack();
    for (let count = 0; count < 3; count++) {
      const watcher = _.use(new RedisWatcher(redis.url));
      watchers.push(watcher);
      await watcher.has(A, B);
    }
    const seed = Math.floor(Math.random() * 2 ** 32);
    console.log(`seed ${seed}`);
    const chance = new Chance(seed);
    const wanted = new Set([A, B]);
    for (let burst = 0; burst < 20; burst++) {
      const commands: string[] = [];
      for (let count = 0; count < 25; count++) {
        const address = `127.0.0.1:${1000 + chance.below(30)}`;
        const joins = chance.next() < 0.55;
        if (joins) wanted.add(address);
        else wanted.delete(address);
        commands.push(`publish ${joins ? "addServer" : "removeServer"} ${address}`);
      }
      await redis.pipe(commands);
      // A server that fails for the holder is retired, and stays in the pools of all.
      watchers[chance.below(3)]?.setDown(A, `127.0.0.1:${1000 + chance.below(30)}`);
      // Whoever holds the lease then loses it to another.
      if (burst % 5 === 4) await redis.cli("del", "serverPool:lease");
    }
    for (const watcher of watchers) await watcher.has(...wanted);
    await waitFor("the keys to hold the same", async () => {
      const keys = [
        await redis.cli("get", "serverPool"),
        await redis.cli("get", "serverPool:retired"),
      ];
      const held = keys.flatMap((text) => text === "" ? [] : JSON.parse(text));
      return held.length === wanted.size && held.every((address) => wanted.has(address));
    });
    assertEquals(watchers.map(({ failures }) => failures), [[], [], []]);
  },
});

Deno.test({
  ...REDIS,
  name: "what the holder of the lease has not heard, another balancer writes",
  fn: async () => {
    await using redis = await RedisServer.start();
    await redis.cli("set", "serverPool", `["${A}"]`);
    // A holder that neither ends nor writes.
    await redis.cli("set", "serverPool:lease", "somebody", "px", "60000");
    await using first = new RedisWatcher(redis.url);
    await using second = new RedisWatcher(redis.url);
    await using reader = new RedisWatcher(redis.url, {}, false);
    for (const watcher of [first, second, reader]) await watcher.has(A);
    await redis.cli("publish", "addServer", C);
    // It counts before it is written.
    for (const watcher of [first, second, reader]) await watcher.has(A, C);
    await holds(redis, "serverPool", `["${A}","${C}"]`);
    // Connections that are cut are made again, and read what was missed.
    await redis.cli("client", "kill", "type", "pubsub");
    await redis.cli("set", "serverPool", `["${B}"]`);
    for (const watcher of [first, second, reader]) await watcher.has(B);
    assertEquals(first.failures.map((text) => text.replace(/:\d+\)$/, ")")), [
      "connection closed (127.0.0.1)",
    ]);
  },
});

Deno.test({
  ...REDIS,
  name: "while Redis is away the pool stays, and what Redis has lost is written again",
  fn: async () => {
    await using redis = await RedisServer.start();
    await redis.cli("set", "serverPool", `["${A}","${B}"]`);
    await using watcher = new RedisWatcher(redis.url);
    await watcher.has(A, B);
    watcher.setDown(B);
    await holds(redis, "serverPool:retired", `["${B}"]`);
    await redis.kill();
    await waitFor("a failure", () => watcher.failures.at(-1)?.startsWith("connection refused"));
    assertEquals([watcher.pool, watcher.lists.length], [`${B}, ${A}`, 1]);
    // What the balancer finds out meanwhile is written later.
    watcher.setDown(A);
    await redis.restart(true);
    await holds(redis, "serverPool", `["${B}"]`);
    await holds(redis, "serverPool:retired", `["${A}"]`);
    await redis.restart(false);
    await holds(redis, "serverPool", `["${B}"]`);
    await holds(redis, "serverPool:retired", `["${A}"]`);
    redis.stop();
    await waitFor("a failure", () => watcher.failures.at(-1)?.startsWith("no answer within 300ms"));
    redis.go();
    await published(redis, "addServer", C);
    await watcher.has(A, B, C);
    await holds(redis, "serverPool", `["${B}","${C}"]`);
    redis.stop();
    const began = performance.now();
    await watcher[Symbol.asyncDispose]();
    assertEquals(performance.now() - began < 2000, true);
  },
});

Deno.test({
  ...REDIS,
  name: "a password, an account and TLS are asked for and taken",
  fn: async () => {
    await using folder = new TemporaryDirectory();
    await makeCertificates(folder.path, "127.0.0.1");
    await using redis = await RedisServer.start([
      ...["--tls-port", "0", "--tls-cert-file", `${folder.path}/server.pem`],
      ...[
        "--tls-key-file",
        `${folder.path}/server.key`,
        "--tls-ca-cert-file",
        `${folder.path}/ca.pem`,
      ],
    ]);
    const tls = freePort();
    await redis.cli("config", "set", "tls-port", String(tls));
    await redis.cli("set", "serverPool", `["${A}"]`);
    // The rights that the protocol takes, and no others.
    await redis.cli(
      ...["acl", "setuser", "lb", "on", ">secret", "~serverPool*"],
      ...["&addServer", "&removeServer", "&serverPool:written"],
      ...["+get", "+getrange", "+exists", "+set", "+del", "+pexpire", "+eval", "+multi", "+exec"],
      ...["+publish", "+subscribe", "+ping", "+select"],
    );
    await redis.cli("acl", "setuser", "default", "off");
    await Deno.writeTextFile(`${folder.path}/password`, "wrong\n");
    const files = {
      ca: `${folder.path}/ca.pem`,
      cert: `${folder.path}/client.pem`,
      cert_key: `${folder.path}/client.key`,
      password_file: `${folder.path}/password`,
    };
    const url = `rediss://lb@127.0.0.1:${tls}`;
    await using watcher = new RedisWatcher(url, files);
    const failure = async (pattern: RegExp) => {
      await waitFor(`a failure like ${pattern}`, () => pattern.test(watcher.failures.at(-1) ?? ""));
    };
    await failure(/^Redis says: WRONGPASS/);
    await Deno.writeTextFile(`${folder.path}/password`, "\n");
    await failure(/^Cannot use the password in ".*": its first line is empty/);
    await Deno.writeTextFile(`${folder.path}/password`, "secret\n");
    await watcher.has(A);
    watcher.setDown(A);
    const lb = ["--user", "lb", "--pass", "secret", "--no-auth-warning"];
    await waitFor(
      "the key to say so",
      async () => await redis.cli(...lb, "get", "serverPool") === "[]",
    );
    assertEquals(watcher.said, []);
    for (
      const [other, keys, pattern] of [
        [redis.url, {}, /^Redis says: NOAUTH/],
        [`${url}/99`, files, /^Redis says: ERR DB index is out of range/],
        [url, { password_file: files.password_file }, /certificate|UnknownIssuer/i],
        [url, { ca: files.ca, password_file: files.password_file }, /certificate|closed|reset/i],
        [`redis://127.0.0.1:${tls}`, {}, /^connection (closed|reset)|no answer/],
      ] as const
    ) {
      await using wrong = new RedisWatcher(other, keys);
      await waitFor("a failure", () => wrong.failures.length > 0);
      assertMatch(wrong.failures[0] ?? "", pattern);
    }
  },
});

Deno.test({
  ...REDIS,
  name: "a replica that takes no writes is read, and said to take none",
  fn: async () => {
    await using primary = await RedisServer.start(["--repl-diskless-sync-delay", "0"]);
    await using replica = await RedisServer.start([
      "--replicaof",
      `127.0.0.1 ${primary.port}`,
    ]);
    await primary.cli("set", "serverPool", `["${A}"]`);
    await holds(replica, "serverPool", `["${A}"]`);
    await using watcher = new RedisWatcher(replica.url);
    await watcher.has(A);
    await waitFor("a word about it", () => watcher.said.length > 0);
    assertMatch(watcher.said[0] ?? "", /^Cannot write the key "serverPool": Redis says: READONLY/);
    await primary.cli("publish", "addServer", C);
    await watcher.has(A, C);
    await primary.cli("set", "serverPool", `["${A}","${C}"]`);
    watcher.setDown(A);
    await primary.cli("set", "serverPool", `["${B}"]`);
    await watcher.has(B, C);
    assertEquals([watcher.said.length, watcher.failures], [1, []]);
  },
});

Deno.test("who is no Redis, or says nothing, is found out in time, and an end does not wait", async () => {
  await using hole = await BlackHole.open();
  await using stranger = new TcpPeer(async (conn) => {
    await conn.write(new TextEncoder().encode("HTTP/1.0 400 Bad Request\r\n\r\n"));
  });
  await using silent = new TcpPeer(async (conn) => {
    while (await conn.read(new Uint8Array(64)) !== null);
  });
  for (
    const [address, pattern] of [
      [hole.address, /^no answer within 300ms/],
      [silent.address, /^no answer within 300ms/],
      [stranger.address, /^it does not speak as Redis does/],
      ["nobody.invalid", /^host name not found \(nobody\.invalid:6379\)/],
    ] as const
  ) {
    await using watcher = new RedisWatcher(`redis://${address}`);
    await waitFor("a failure", () => watcher.failures.length > 0);
    assertMatch(watcher.failures[0] ?? "", pattern);
  }
  const { accepted } = silent;
  const watcher = new RedisWatcher(`redis://${silent.address}`, { timeout: "1h" });
  await waitFor("its connections", () => silent.accepted === accepted + 2);
  await within("its end", watcher[Symbol.asyncDispose](), 5000);
});
