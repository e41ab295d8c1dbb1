// The discovery source dns against dnsmasq, and against a server that says what no sound one does.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Dnsmasq } from "../peers/dnsmasq.ts";
import { type Answering, NameServer, type Query } from "../peers/name_server.ts";
import {
  ANSWER,
  aRecord,
  cnameRecord,
  nsRecord,
  soaRecord,
  srvRecord,
  TYPES,
  writeAnswer,
  type WrittenAnswer,
} from "../support/dns_writer.ts";
import { needs } from "../support/needs.ts";
import { requirePeer } from "../support/require_peer.ts";
import { waitFor } from "../support/wait_for.ts";
import { SourceWatcher } from "../support/source_watcher.ts";

function watch(
  server: { readonly address: string },
  name: string,
  more: Readonly<Record<string, string>> = {},
  speed = 10,
): SourceWatcher {
  return new SourceWatcher({ source: "dns", name, server: server.address, ...more }, speed);
}

Deno.test({
  ...requirePeer("dnsmasq"),
  name:
    "dns: addresses of a name are backends, as they change, and while nobody serves the last ones",
  async fn() {
    await using dnsmasq = new Dnsmasq();
    await using watched = watch(dnsmasq, "hosts.example", { port: "2222" });
    await watched.fails(
      /^hosts\.example: name server 127\.0\.0\.1:\d+: no answer within 2(\.0)?s$/,
    );
    await dnsmasq.serve(
      "host-record=hoek.example,192.0.2.1,2001:db8::1",
      "host-record=hosts.example,192.0.2.2",
      "host-record=hosts.example,192.0.2.1",
    );
    await watched.has("192.0.2.1:2222", "192.0.2.2:2222");
    // Its TTL, a second, is over long before the interval.
    await dnsmasq.serve(
      "cname=hosts.example,hoek.example",
      "host-record=hoek.example,192.0.2.1,2001:db8::1",
    );
    await watched.has("192.0.2.1:2222", "[2001:db8::1]:2222");
    const [lists, failures] = [watched.lists.length, watched.failures.length];
    await dnsmasq.kill();
    await watched.fails(/./, failures);
    await dnsmasq.serve("host-record=hosts.example,192.0.2.9");
    await watched.has("192.0.2.9:2222");
    // Between there were no empty ones.
    assert(watched.lists.slice(lists).every(({ backends }) => backends.length > 0));
    const before = watched.failures.length;
    dnsmasq.stop();
    await watched.fails(/no answer within/, before);
    dnsmasq.go();
    await watched.next();
    await watched.has("192.0.2.9:2222");
    // No such name, which a server that is asked with authority says.
    await dnsmasq.serve();
    await watched.has();
    assertEquals(watched.lists.at(-1)?.isMeant, undefined);
    assertEquals(watched.lists.at(-1)?.skipped, []);
  },
});

Deno.test({
  ...requirePeer("dnsmasq"),
  name: "dns: records of a service give ports, weights and the lowest priority that has a host",
  async fn() {
    const hosts = ["hoek", "kelvin", "gauss"].map((name, at) =>
      `host-record=${name}.example,192.0.2.${at + 1}`
    );
    const srv = (target: string, priority: number, weight: number) =>
      `srv-host=_ssh._tcp.example,${target}.example,2222,${priority},${weight}`;
    await using dnsmasq = await Dnsmasq.start(
      ...hosts,
      srv("hoek", 10, 3),
      srv("kelvin", 10, 0),
      srv("gauss", 20, 1),
    );
    await using watched = watch(dnsmasq, "_ssh._tcp.example");
    await watched.has("192.0.2.1:2222 weight=3", "192.0.2.2:2222 weight=0.001");
    await dnsmasq.serve(...hosts.slice(2), srv("hoek", 10, 3), srv("gauss", 20, 1));
    await watched.has("192.0.2.3:2222 weight=1");
    await dnsmasq.serve(...hosts);
    await watched.has();
  },
});

Deno.test({
  ignore: requirePeer("dnsmasq").ignore || needs("root", "ip", "unshare").ignore,
  name: "dns: the last list holds while the name server is cut off",
  async fn() {
    await using dnsmasq = new Dnsmasq();
    const network = await dnsmasq.moveAway();
    await dnsmasq.serve("host-record=a.example,192.0.2.1");
    await using watched = watch(dnsmasq, "a.example");
    await watched.has("192.0.2.1:1?");
    const [lists, failures] = [watched.lists.length, watched.failures.length];
    await network.cut();
    await watched.fails(/no answer within/, failures);
    await network.mend();
    await dnsmasq.serve("host-record=a.example,192.0.2.2");
    await watched.has("192.0.2.2:1?");
    assert(watched.lists.slice(lists).every(({ backends }) => backends.length === 1));
  },
});

Deno.test({
  ...requirePeer("dnsmasq"),
  name: "dns: a list of very many comes by TCP",
  async fn() {
    const names = Array.from({ length: 256 }, (_, at) => at);
    await using dnsmasq = await Dnsmasq.start(
      ...names.map((at) => `host-record=many.example,10.1.0.${at}`),
    );
    await using watched = watch(dnsmasq, "many.example", {}, 1);
    const { backends } = await watched.next(0);
    assertEquals(backends.length, 256);
    assertEquals(watched.failures, []);
  },
});

/** Serves one answer for any question, with its id and question. */
function always(answer: Partial<WrittenAnswer>): Answering {
  return (query) => [answerTo(query, answer)];
}

function answerTo({ id, name, type }: Query, answer: Partial<WrittenAnswer>) {
  return writeAnswer({ id, question: { name, type }, ...answer });
}

async function reasonOf(answering: Answering, name = "a.example"): Promise<string> {
  await using server = await NameServer.start(answering);
  await using watched = watch(server, name, { family: "ipv4" });
  const reason = await watched.fails(/./);
  assertEquals(watched.lists, []);
  return reason.replace(server.address, "it");
}

Deno.test("dns: an answer that is of no use is a failure, never a list", async () => {
  const cases: [Answering, RegExp][] = [
    [always({ flags: ANSWER | 2 }), /^a\.example: name server it: it has failed \(SERVFAIL\)$/],
    [always({ flags: ANSWER | 5 }), /refuses to answer \(REFUSED\)$/],
    [always({ authorities: [nsRecord("example", "ns.example")] }), /expected one that recurses$/],
    [always({ answers: [cnameRecord("a.example", "a.example")] }), /more than 8 aliases$/],
    [
      ({ id, name, type }) => [writeAnswer({ id: id ^ 1, question: { name, type } })],
      /no answer within 2(\.0)?s \(but one to another question\)$/,
    ],
    [
      ({ id, type }) => [writeAnswer({ id, question: { name: "b.example", type } })],
      /\(but one to another question\)$/,
    ],
    [() => [Uint8Array.of(1, 2, 3)], /\(but: Cannot read the DNS message of 3 bytes: it ends in/],
    [
      (query) => query.isTcp ? [] : [answerTo(query, { flags: ANSWER | 0x0200 })],
      /has more to say by TCP: connection closed in the middle of an answer/,
    ],
  ];
  const reasons = await Promise.all(cases.map(([answering]) => reasonOf(answering)));
  for (const [at, [, pattern]] of cases.entries()) assertMatch(reasons[at] ?? "", pattern);
});

Deno.test("dns: forged answers before the true one change nothing", async () => {
  const forged = aRecord("a.example", "203.0.113.66");
  await using server = await NameServer.start((query) => [
    Uint8Array.of(9, 9),
    answerTo({ ...query, id: query.id ^ 0x8000 }, { answers: [forged] }),
    answerTo({ ...query, name: "b.example" }, { answers: [forged] }),
    answerTo(query, {
      answers: [aRecord("b.example", "203.0.113.66"), aRecord("a.example", "192.0.2.1")],
    }),
  ]);
  await using watched = watch(server, "a.example", { family: "ipv4" }, 1);
  await watched.has("192.0.2.1:1?");
  assertEquals(watched.failures, []);
});

Deno.test("dns: a server that knows no EDNS is asked without, and one that tells of an alias alone again", async () => {
  await using server = await NameServer.start((query) => {
    if (query.hasEdns) return [writeAnswer({ id: query.id, flags: ANSWER | 1 })];
    return [answerTo(query, {
      answers: query.name === "a.example"
        ? [cnameRecord("a.example", "b.example")]
        : [aRecord("b.example", "192.0.2.1")],
    })];
  });
  await using watched = watch(server, "a.example", { family: "ipv4" }, 1);
  await watched.has("192.0.2.1:1?");
  assertEquals(server.queries.map(({ name, hasEdns }) => `${name} ${hasEdns}`), [
    "a.example true",
    "a.example false",
    "b.example true",
    "b.example false",
  ]);
});

Deno.test("dns: the next server is asked when the first is of no use", async () => {
  await using first = await NameServer.start(always({ flags: ANSWER | 2 }));
  await using second = await NameServer.start((query) => [
    answerTo(query, { answers: [aRecord("a.example", "192.0.2.1", 0)] }),
  ]);
  await using watched = new SourceWatcher({
    source: "dns",
    name: "a.example",
    family: "ipv4",
    server: [first.address, second.address],
  }, 1);
  await watched.has("192.0.2.1:1?");
  // A TTL of 0 means once a second.
  await watched.next(1);
  assertEquals(watched.failures, []);
});

Deno.test("dns: a service that is decidedly not there is meant so", async () => {
  const name = "_ssh._tcp.example";
  await using server = await NameServer.start(
    always({ answers: [srvRecord(name, [0, 0, 0], "")] }),
  );
  await using watched = watch(server, name);
  assertEquals(await watched.next(), { backends: [], skipped: [], isMeant: true });
});

Deno.test("dns: port 0 and the address of nobody make no backends", async () => {
  const name = "_ssh._tcp.example";
  await using server = await NameServer.start((query) => [
    answerTo(query, {
      answers: query.type === TYPES.SRV
        ? [srvRecord(name, [0, 0, 0], "a.example"), srvRecord(name, [0, 0, 22], "b.example")]
        : [aRecord(query.name, "0.0.0.0"), aRecord(query.name, "192.0.2.1")],
    }),
  ]);
  await using watched = watch(server, name, { family: "ipv4" });
  await watched.has("192.0.2.1:22");
  assertEquals(watched.lists[0]?.skipped, ["a.example: it has port 0"]);
});

Deno.test("dns: addresses that are sent along need no look-up; a target that fails keeps its last ones", async () => {
  const name = "_ssh._tcp.example";
  let isBroken = false;
  await using server = await NameServer.start((query) => {
    if (query.type === TYPES.SRV) {
      return [answerTo(query, {
        answers: ["a.example", "b.example"].map((host) => srvRecord(name, [0, 0, 22], host, 1)),
        additional: [aRecord("a.example", "192.0.2.1")],
      })];
    }
    return isBroken
      ? [answerTo(query, { flags: ANSWER | 2 })]
      : [answerTo(query, { answers: [aRecord("b.example", "192.0.2.2")] })];
  });
  await using watched = watch(server, name, { family: "ipv4" });
  await watched.has("192.0.2.1:22", "192.0.2.2:22");
  isBroken = true;
  const { skipped } = await waitFor(
    "a list with one that failed",
    () => watched.lists.find(({ skipped }) => skipped.length > 0),
  );
  await watched.has("192.0.2.1:22", "192.0.2.2:22");
  assertMatch(skipped.join(), /^b\.example: b\.example: name server .* \(SERVFAIL\)$/);
  assert(server.queries.every(({ name }) => name !== "a.example"));
});

const AAAA_RECORD = {
  name: "a.example",
  type: TYPES.AAAA,
  ttlSeconds: 1,
  data: [0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), 1],
};

Deno.test("dns: a server that tells of one family alone is enough, and the other keeps its addresses", async () => {
  const refused = new Set([TYPES.AAAA]);
  await using server = await NameServer.start((query) => [
    refused.has(query.type)
      ? answerTo(query, { flags: ANSWER | 5 })
      : query.type === TYPES.A
      ? answerTo(query, { answers: [aRecord("a.example", "192.0.2.1", 1)] })
      : answerTo(query, { answers: [AAAA_RECORD] }),
  ]);
  await using watched = watch(server, "a.example", { port: "22" });
  await watched.has("192.0.2.1:22");
  refused.clear();
  await watched.has("192.0.2.1:22", "[2001:db8::1]:22");
  refused.add(TYPES.A);
  // The one after the next was asked for behind the change.
  await watched.next();
  await watched.next();
  await watched.has("192.0.2.1:22", "[2001:db8::1]:22");
  refused.add(TYPES.AAAA);
  await watched.fails(/REFUSED/);
  assert(watched.lists.every(({ backends }) => backends.length > 0));
});

Deno.test("dns: that there is nothing holds as long as the zone says", async () => {
  await using server = await NameServer.start(always({
    flags: ANSWER | 3,
    authorities: [soaRecord("example", 3600, 1)],
  }));
  await using watched = watch(server, "a.example", { family: "ipv4" });
  await watched.has();
  await watched.next();
});
