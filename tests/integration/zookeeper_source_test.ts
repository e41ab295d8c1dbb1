// The discovery source zk against a real ZooKeeper, and against what answers in its place.

import { assertEquals, assertRejects } from "@std/assert";
import { juteMessage } from "../../lib/discovery/jute.ts";
import { ZooKeeperSession } from "../../lib/discovery/zookeeper_session.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { ZooKeeper } from "../peers/zookeeper.ts";
import { makeCertificates } from "../support/certificates.ts";
import { needs } from "../support/needs.ts";
import { freePort } from "../support/processes.ts";
import { joinedBytes } from "../../lib/core/values/joined_bytes.ts";
import { requirePeer } from "../support/require_peer.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { SourceWatcher } from "../support/source_watcher.ts";
import { within } from "../support/wait_for.ts";

const ZOOKEEPER = requirePeer("java", "zookeeper");

Deno.test({
  ...ZOOKEEPER,
  name: "zk: children of a node are followed, and ZooKeeper may come late, stop, end and come back",
  fn: async () => {
    await using zookeeper = new ZooKeeper();
    await using watcher = new SourceWatcher(`zk://${zookeeper.address}/compute/`);
    await watcher.fails(/^connection refused \(127/);
    await zookeeper.start();
    await watcher.fails(/^\/compute: there is no such node \(127/);
    assertEquals(watcher.lists, []);
    await zookeeper.put({ "/compute": "what stands here is nobody's" });
    await watcher.has();
    // It goes so slowly that only watches can tell in time.
    await using patient = new SourceWatcher(`zookeeper://${zookeeper.address}/compute`, 0.1);
    await patient.has();
    await zookeeper.put({ "/compute/a": "hoek:22=12 weight=2" });
    await watcher.has("hoek:22 cores=12 weight=2");
    await patient.has("hoek:22 cores=12 weight=2");
    await zookeeper.put({ "/compute/a": "hoek:23" });
    await watcher.has("hoek:23");
    await patient.has("hoek:23");
    await zookeeper.put({
      "/compute/bad": "no backend at all",
      "/compute/kelvin:22": "",
      "/compute/json": '{"address": "10.0.0.1", "port": 2222, "cores": 8}',
    });
    await watcher.has("hoek:23", "kelvin:22", "10.0.0.1:2222 cores=8");
    assertEquals(watcher.lists.at(-1)?.skipped, [
      'node "bad": Cannot read "backend" behind a backend: expected cores=N, weight=W or ' +
      "max_connections=N",
    ]);
    await zookeeper.delete("/compute/a", "/compute/kelvin:22", "/compute/json", "/compute/bad");
    await watcher.has();
    const many = Array.from({ length: 256 }, (_, at) => `10.1.${at >> 8}.${at & 255}:22`);
    const nodes = Object.fromEntries(many.map((one, at) => [`/compute/${at}`, one]));
    await zookeeper.put(nodes);
    await watcher.has(...many);
    await zookeeper.delete(...Object.keys(nodes).slice(1));
    await watcher.has("10.1.0.0:22");

    zookeeper.stop();
    await watcher.fails(/^no answer within 6s \(127/);
    assertEquals(watcher.pool, "10.1.0.0:22");
    zookeeper.go();
    await zookeeper.put({ "/compute/0": "on:22" });
    await watcher.has("on:22");

    const failures = watcher.failures.length;
    await zookeeper.kill();
    await watcher.fails(/^connection (closed|refused|reset) \(127/, failures);
    await zookeeper.start();
    await zookeeper.put({ "/compute/0": "again:22" });
    await watcher.has("again:22");
    assertEquals(watcher.lists.some(({ backends }) => backends.length > 256), false);
  },
});

Deno.test({
  ignore: ZOOKEEPER.ignore || needs("root", "ip", "unshare").ignore,
  name: "zk: one that is cut off is found out; users may be needed, and the next server is asked",
  fn: async () => {
    await using folder = new TemporaryDirectory();
    await using zookeeper = new ZooKeeper();
    const network = await zookeeper.moveAway();
    await zookeeper.start();
    await zookeeper.put({
      "/compute": "",
      "/compute/a": "a:22",
      "/secret": "",
      "/secret/b": "b:22",
    });
    await zookeeper.reserve("/secret", "lb:password");
    const dead = `127.0.0.1:${freePort()}`;
    await using watcher = new SourceWatcher(`zk://${dead},${zookeeper.address}/compute`);
    await using stranger = new SourceWatcher(`zk://${zookeeper.address}/secret`);
    await Deno.writeTextFile(`${folder.path}/password`, "password\n");
    await using user = new SourceWatcher({
      source: "zk",
      servers: zookeeper.address,
      path: "/secret",
      user: "lb",
      password_file: `${folder.path}/password`,
    });
    await watcher.has("a:22");
    await user.has("b:22");
    await stranger.fails(/^\/secret: this user may not read it \(198/);
    await network.cut();
    await watcher.fails(/^no answer within 6s \(198/);
    await watcher.fails(/^connection refused \(127.*; no answer within 5s \(198/);
    await network.mend();
    await zookeeper.put({ "/compute/a": "mended:22" });
    await watcher.has("mended:22");
    assertEquals(stranger.lists, []);
  },
});

Deno.test({
  ignore: ZOOKEEPER.ignore || requirePeer("openssl").ignore,
  name: "zk: by TLS, both sides have certificates",
  fn: async () => {
    await using folder = new TemporaryDirectory();
    await makeCertificates(folder.path, "127.0.0.1");
    await using zookeeper = new ZooKeeper(folder.path);
    await zookeeper.start();
    await zookeeper.put({ "/compute": "", "/compute/a": "a:22" });
    const servers = `${zookeeper.host}:${zookeeper.securePort}`;
    const anybody = { source: "zk", servers, path: "/compute" };
    const trusting = { ...anybody, ca: `${folder.path}/ca.pem` };
    const own = { cert: `${folder.path}/client.pem`, key: `${folder.path}/client.key` };
    await using watcher = new SourceWatcher({ ...trusting, ...own });
    await watcher.has("a:22");
    await using nobody = new SourceWatcher(trusting);
    await nobody.fails(/BadCertificate|CertificateRequired|connection closed/);
    await using stranger = new SourceWatcher({ ...anybody, tls: "true" });
    await stranger.fails(/UnknownIssuer/);
    await using open = new SourceWatcher(anybody);
    await open.fails(/^connection (closed|reset) \(127/);
    assertEquals([nobody, stranger, open].flatMap(({ lists }) => lists), []);
  },
});

/** Numbers of requests begin at 0: reading the children is the first. */
const CHILDREN = (...children: readonly string[]) =>
  juteMessage([0, 5n, 0, children.length, ...children]);
const GREETING = juteMessage([0, 9000, 1n, new Uint8Array(16), false]);
const text = (text: string) => new TextEncoder().encode(text);

/** What answers in place of ZooKeeper, and what is said of it. */
const GARBAGE: readonly (readonly [answers: readonly Uint8Array[], reason: RegExp])[] = [
  [[text("HTTP/1.1 400 Bad Request\r\n\r\n")], /^Cannot read a message of 1213486160 bytes as/],
  [[new Uint8Array([255, 255, 255, 240, 1, 2])], /^Cannot read a message of -16 bytes as/],
  [[text("\0\0\0\x03abc")], /^Cannot read a message of 3 bytes as ZooKeeper's \(127/],
  [[juteMessage([7, 9000, 1n, ""])], /^Cannot read the greeting as ZooKeeper's/],
  [[juteMessage([0, 0, 0n, new Uint8Array(16), false])], /^the server gives no session/],
  [[], /^no answer within 5s \(127/],
  [[GREETING, juteMessage([77, 5n, 0])], /^an answer to nothing that was asked/],
  [[GREETING, juteMessage([0, 5n, -3])], /^\/c: ZooKeeper's error -3 \(127/],
  [[GREETING, juteMessage([0, 5n, 0, 1_000_000_000])], /^Cannot read a message of 20 bytes as/],
  [[GREETING, juteMessage([0, 5n, 0, 2, "a"])], /^Cannot read a message of 25 bytes as/],
  [[GREETING, juteMessage([0, 5n])], /^Cannot read a message of 12 bytes as/],
  [[GREETING, CHILDREN("a"), juteMessage([1, 5n, 0, 99])], /^Cannot read a message of 20 bytes/],
  [[GREETING], /^no answer within (6|10)s \(127/],
  [[GREETING, CHILDREN("a")], /^no answer within (6|10)s \(127/],
];

Deno.test("zk: an answer that is none is a failure and never a list", async () => {
  for (const [answers, reason] of GARBAGE) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const connections: Deno.Conn[] = [];
    const serving = (async () => {
      for await (const connection of listener) {
        connections.push(connection);
        for (const answer of answers) {
          // Each answers one question.
          await connection.read(new Uint8Array(1000)).catch(() => {});
          await connection.write(answer).catch(() => {});
        }
      }
    })();
    {
      await using watcher = new SourceWatcher(`zk://127.0.0.1:${listener.addr.port}/c`);
      await watcher.fails(reason);
      assertEquals(watcher.lists, []);
    }
    listener.close();
    await serving;
    for (const connection of connections) connection.close();
  }
});

Deno.test("zk: a connection that comes just when it is given up is closed", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  for (let round = 0; round < 20; round++) {
    const stop = new AbortController();
    const accepted = listener.accept().then((connection) => {
      stop.abort(new Error("given up"));
      return connection;
    });
    const address = { transport: "tcp", host: "127.0.0.1", port } as const;
    const opened = ZooKeeperSession.open({ address }, SYSTEM_CLOCK, stop.signal);
    using connection = await accepted;
    await within("a reason", assertRejects(() => opened, Error, "given up"));
    // What came of it is over.
    await within("its end", new Response(connection.readable).bytes());
  }
});

Deno.test("zk: bytes of any kind end in a reason, in bounded time", async () => {
  for (let round = 0; round < 200; round++) {
    const noise = crypto.getRandomValues(new Uint8Array(1 + round * 5));
    // Most of them within messages of a length that can be.
    const answer = round % 4 === 0 ? noise : juteMessage([noise.length, ...[...noise].map(Number)]);
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const served = listener.accept().then(async (connection) => {
      const bytes = round % 2 === 0 ? answer : joinedBytes([GREETING, answer]);
      await connection.write(bytes).catch(() => {});
      return connection;
    });
    {
      await using watcher = new SourceWatcher(`zk://127.0.0.1:${listener.addr.port}/c`);
      const connection = await served;
      await connection.closeWrite().catch(() => {});
      await watcher.fails(/./);
      assertEquals(watcher.lists, []);
      connection.close();
    }
  }
});
