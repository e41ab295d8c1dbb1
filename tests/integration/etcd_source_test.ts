// The discovery source etcd against a real etcd, and against what answers in its place.

import { assertEquals, assertMatch } from "@std/assert";
import { Etcd } from "../peers/etcd.ts";
import { makeCertificates } from "../support/certificates.ts";
import { needs } from "../support/needs.ts";
import { requirePeer } from "../support/require_peer.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { SourceWatcher } from "../support/source_watcher.ts";

const ETCD = requirePeer("etcd");

Deno.test({
  ...ETCD,
  name: "etcd: lists of none, one and many are followed, and etcd may come late, end and come back",
  fn: async () => {
    await using etcd = new Etcd();
    await using watcher = new SourceWatcher(`etcd://${etcd.address}/compute/`);
    await watcher.fails(/^connection refused \(127/);
    await etcd.start();
    await watcher.has();
    assertEquals(watcher.lists[0], { backends: [], skipped: [] });
    await etcd.put({ "/compute/a": "hoek:22=12 weight=2", "/compute2/b": "x:1" });
    await watcher.has("hoek:22 cores=12 weight=2");
    await using patient = new SourceWatcher(`etcd://${etcd.address}/late/`, 0.1);
    await patient.has();
    await etcd.put({ "/late/a": "told:22" });
    await patient.has("told:22");
    await etcd.put({
      "/compute/": "",
      "/compute/kelvin:22": "",
      "/compute/euler": '{"cores": 8}',
      "/compute/json": '{"address": "10.0.0.1", "port": 2222, "max_connections": 5}',
      "/compute/bad": "no backend at all",
    });
    await watcher.has(
      "hoek:22 cores=12 weight=2",
      "kelvin:22",
      "euler:1? cores=8",
      "10.0.0.1:2222 maxConnections=5",
    );
    assertMatch(watcher.lists.at(-1)?.skipped.join() ?? "", /^key "\/compute\/bad": Cannot read/);
    await etcd.delete("/compute/", "/compute0");
    await watcher.has();
    const many = Array.from({ length: 1000 }, (_, at) => `10.1.${at >> 8}.${at & 255}:22`);
    await etcd.put(Object.fromEntries(many.map((one, at) => [`/compute/${at}`, one])));
    await watcher.has(...many);
    await etcd.delete("/compute/1", "/compute0");
    await watcher.has(many[0] ?? "");
    // The revision that is watched from is compacted away while nobody watches.
    const failures = watcher.failures.length;
    await etcd.kill();
    await watcher.fails(/connection (closed|refused|reset)/, failures);
    await etcd.start();
    await etcd.put({ "/compute/0": "later:22" });
    const { header } = await etcd.ask("kv/range", { key: btoa("x") });
    await etcd.ask("kv/compaction", { revision: Object(header).revision });
    await watcher.has("later:22");
    // Its data lost, it begins again at revision 1.
    await etcd.kill();
    await etcd.forget();
    await etcd.start();
    await etcd.put({ "/compute/0": "anew:22" });
    await watcher.has("anew:22");
  },
});

Deno.test({
  ...ETCD,
  name: "etcd: one that is stopped is found out, and one that goes on is followed again",
  fn: async () => {
    await using etcd = new Etcd();
    await etcd.start();
    await etcd.put({ "/c/a": "a:22" });
    await using watcher = new SourceWatcher({
      source: "etcd",
      servers: [etcd.address],
      prefix: "/c/",
    });
    await watcher.has("a:22");
    etcd.stop();
    await watcher.fails(/^no answer within 5s \(127/);
    assertEquals(watcher.pool, "a:22");
    etcd.go();
    await etcd.put({ "/c/a": "b:22" });
    await watcher.has("b:22");
  },
});

Deno.test({
  ignore: ETCD.ignore || needs("root", "ip", "unshare").ignore,
  name: "etcd: of several the next is asked when one is cut off or killed",
  fn: async () => {
    await using first = new Etcd();
    await using second = new Etcd();
    const network = await first.moveAway();
    await Promise.all([first.start(), second.start()]);
    await first.put({ "/c/a": "first:22" });
    await second.put({ "/c/a": "second:22" });
    await using watcher = new SourceWatcher(`etcd://${first.address},${second.address}/c/`);
    await watcher.has("first:22");
    await network.cut();
    await watcher.fails(/^no answer within 5s \(198/);
    await watcher.has("second:22");
    await network.mend();
    await second.kill();
    await watcher.has("first:22");
    await network.cut();
    await watcher.fails(/^(no answer .*; connection refused|connection refused .*; no answer) /);
    await network.mend();
    await first.put({ "/c/a": "mended:22" });
    await watcher.has("mended:22");
  },
});

Deno.test({
  ignore: ETCD.ignore || requirePeer("openssl").ignore,
  name: "etcd: by TLS, both sides have certificates",
  fn: async () => {
    await using folder = new TemporaryDirectory();
    await makeCertificates(folder.path, "127.0.0.1");
    await using etcd = new Etcd({ certificates: folder.path });
    await etcd.start();
    await etcd.put({ "/c/a": "a:22" });
    const anybody = { source: "etcd", servers: `https://${etcd.address}`, prefix: "/c/" };
    const trusting = { ...anybody, ca: `${folder.path}/ca.pem` };
    const own = { cert: `${folder.path}/client.pem`, key: `${folder.path}/client.key` };
    await using watcher = new SourceWatcher({ ...trusting, ...own });
    await watcher.has("a:22");
    await using stranger = new SourceWatcher(`etcds://${etcd.address}/c/`);
    await stranger.fails(/UnknownIssuer/);
    await using nobody = new SourceWatcher(trusting);
    await nobody.fails(/certificate|connection closed/i);
    await using half = new SourceWatcher({ ...trusting, cert: own.cert });
    await half.fails(/^Cannot use cert alone: expected cert and key$/);
    await using open = new SourceWatcher({ ...trusting, servers: etcd.address });
    await open.fails(/^Cannot use certificates with http:\/\/127.*: expected https:\/\/$/);
    const all = [stranger, nobody, half, open];
    assertEquals(all.flatMap(({ lists }) => lists), []);
  },
});

Deno.test({
  ...ETCD,
  name: "etcd: a user has a password in a file, and may read what the user's role may",
  fn: async () => {
    await using folder = new TemporaryDirectory();
    await using etcd = new Etcd();
    await etcd.start();
    await etcd.put({ "/c/a": "a:22" });
    for (const name of ["root", "lb"]) {
      await etcd.ask("auth/user/add", { name, password: `${name}-secret` });
    }
    await etcd.ask("auth/role/add", { name: "root" });
    await etcd.ask("auth/user/grant", { user: "root", role: "root" });
    await etcd.ask("auth/enable", {});
    const root = { name: "root", password: "root-secret" };
    const { token } = await etcd.ask("auth/authenticate", root);
    await Deno.writeTextFile(`${folder.path}/password`, "wrong\n");
    await using watcher = new SourceWatcher({
      source: "etcd",
      servers: etcd.address,
      prefix: "/c/",
      user: "lb",
      password_file: `${folder.path}/password`,
    });
    await watcher.fails(/HTTP 400 Bad Request: etcdserver: authentication failed, invalid user ID/);
    await Deno.writeTextFile(`${folder.path}/password`, "lb-secret\n");
    await watcher.fails(/HTTP 403 Forbidden: etcdserver: permission denied/);
    assertEquals(watcher.lists, []);
    const grant = async (path: string, body: unknown) => await etcd.ask(path, body, String(token));
    await grant("auth/role/add", { name: "reader" });
    const perm = { permType: 0, key: btoa("/c/"), range_end: btoa("/c0") };
    await grant("auth/role/grant", { name: "reader", perm });
    await grant("auth/user/grant", { user: "lb", role: "reader" });
    await watcher.has("a:22");
  },
});

/** What answers in place of etcd: first to the range, then to the watch; and what is said of it. */
const GARBAGE: readonly (readonly [range: BodyInit, watch: BodyInit, reason: RegExp])[] = [
  ["<html>hello", "", /^Cannot read "<html>hello" .* as JSON$/],
  ["", "", /^Cannot read "" as an answer of etcd/],
  ["[]", "", /^Cannot read "\[\]" as an answer of etcd/],
  ["{}", "", /expected keys and a revision$/],
  ['{"header":{"revision":"x"}}', "", /expected keys and a revision$/],
  ['{"header":{"revision":"5"},"kvs":{"a":1}}', "", /expected keys and a revision$/],
  ['{"header":{"revision":"5"},"kvs":[{"key":"%%"}]}', "", /^Cannot read "%%" as etcd writes/],
  ['{"header":{"revision":"5"},"kvs":[7]}', "", /^Cannot read nothing as etcd writes/],
  ["x".repeat(17 * 1_048_576), "", /^answered more than 16777216 bytes/],
  ['{"header":{"revision":"5"}}', "", /^connection closed \(127/],
  ['{"header":{"revision":"5"}}', "garbage\n", /^Cannot read "garbage" as JSON/],
  [
    '{"header":{"revision":"5"}}',
    '{"error":{"message":"no\\nway"}}\n',
    /^etcd cannot watch: no way$/,
  ],
  ['{"header":{"revision":"5"}}', "7\n", /^etcd cannot watch: 7$/],
  [
    '{"header":{"revision":"5"}}',
    '{"result":{"created":true}}\n{"result":{"canceled":true,"cancel_reason":"why"}}\n',
    /^etcd has ended the watch: why$/,
  ],
  ['{"header":{"revision":"5"}}', "x".repeat(17 * 1_048_576), /^sends a line of more than/],
];

Deno.test("etcd: an answer that is none is a failure and never a list", async () => {
  for (const [range, watch, reason] of GARBAGE) {
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      ({ url }) => new Response(url.endsWith("/kv/range") ? range : watch),
    );
    await using watcher = new SourceWatcher(`etcd://127.0.0.1:${server.addr.port}/c/`);
    await watcher.fails(reason);
    assertEquals(watcher.lists.flatMap(({ backends }) => backends), []);
    // Only one that says a revision says how many there are.
    if (!String(range).startsWith('{"header":{"revision":"5"}}')) assertEquals(watcher.lists, []);
  }
});
