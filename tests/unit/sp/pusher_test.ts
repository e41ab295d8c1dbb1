// The PUSH socket, with proxies of ours, foreign ones and no proxies at all.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { PlainSupply } from "../../../lib/app/token_supply.ts";
import type { Address } from "../../../lib/core/values/address.ts";
import { openLibc } from "../../../lib/host/libc.ts";
import { limitSendBuffers } from "../../../lib/host/send_buffers.ts";
import { SYSTEM_CLOCK } from "../../../lib/host/clock.ts";
import { framed, headerOf, PULL, PUSH } from "../../../lib/sp/framing.ts";
import { SpLink } from "../../../lib/sp/link.ts";
import { type Peer, Pusher, type PusherOptions } from "../../../lib/sp/pusher.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { SilentProxy, TestProxy } from "../../support/sp_peers.ts";
import { waitFor, within } from "../../support/wait_for.ts";

const encoder = new TextEncoder();

// Opened once and never closed: no test has left it behind.
openLibc();

/** A generator of the numbers from 1 on, which writes down what it is told. */
class Numbers implements AsyncDisposable {
  readonly said: string[] = [];
  readonly heard: string[] = [];
  readonly left: Peer[] = [];
  readonly listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly port = this.listener.addr.port;
  readonly address: Address = { transport: "tcp", host: "127.0.0.1", port: this.port };
  readonly pusher: Pusher;
  /** So many are left. */
  remaining = Infinity;
  count = 0;

  constructor(more: Partial<PusherOptions> = {}) {
    this.pusher = new Pusher([this.listener], {
      clock: SYSTEM_CLOCK,
      next: () => this.remaining-- > 0 ? encoder.encode(`${++this.count}`) : undefined,
      heard: (_, word) => this.heard.push(JSON.stringify(word)),
      left: (peer) => this.left.push(peer),
      say: (level, text) => this.said.push(`${level}: ${text}`),
      ...more,
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.pusher[Symbol.asyncDispose]();
  }
}

function sorted(tokens: readonly string[]): number[] {
  return tokens.map(Number).sort((a, b) => a - b);
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at + 1);
}

Deno.test("a proxy of ours gets exactly what it wants, in order", async () => {
  await using numbers = new Numbers();
  await using proxy = new TestProxy(numbers.address);
  assertEquals(await proxy.take(16), upTo(16).map(String));
  assertEquals(numbers.count, 16);
  await proxy.take(3);
  assertEquals(sorted(proxy.tokens), upTo(19));
  assertEquals(numbers.count, 19);
});

Deno.test("three proxies take turns, and every token is used once", async () => {
  await using numbers = new Numbers();
  numbers.remaining = 0;
  await using a = new TestProxy(numbers.address);
  await using b = new TestProxy(numbers.address);
  await using c = new TestProxy(numbers.address);
  const proxies = [a, b, c];
  for (const { puller } of proxies) puller.want(1000);
  await waitFor("all to be there", () => numbers.pusher.peers.size === 3);
  numbers.remaining = 300;
  numbers.pusher.kick();
  const all = () => proxies.flatMap(({ tokens }) => tokens);
  await waitFor("300 tokens", () => all().length === 300);
  assertEquals(sorted(all()), upTo(300));
  for (const { tokens } of proxies) assert(tokens.length >= 60, `${tokens.length} of 300`);
});

Deno.test("what a proxy says is heard, and its end is told once", async () => {
  await using numbers = new Numbers();
  {
    await using proxy = new TestProxy(numbers.address, ["have a:1 3", "have b:2 1"]);
    await proxy.take(1);
    proxy.end("a:1");
    await waitFor("the end", () => numbers.heard.length === 3);
  }
  assertEquals(numbers.heard, [
    '{"kind":"have","token":"a:1","count":3}',
    '{"kind":"have","token":"b:2","count":1}',
    '{"kind":"end","token":"a:1"}',
  ]);
  await waitFor("its leave", () => numbers.left.length === 1);
  assertEquals(numbers.pusher.peers.size, 0);
});

Deno.test("a proxy whose first word comes in two pieces gets no more than it wants", async () => {
  await using numbers = new Numbers();
  const words = Uint8Array.from(
    ["have a:1 1", "want 2"].flatMap((text) => [...framed(encoder.encode(text), "tcp")]),
  );
  using proxy = await SilentProxy.connect(numbers.port, words.subarray(0, 3));
  await waitFor("the proxy", () => numbers.pusher.peers.size === 1);
  assertEquals(numbers.count, 0);
  await proxy.write(words.subarray(3));
  const tokens = () => proxy.tokens.filter((token) => token !== "");
  while (tokens().length < 2) assert(await within("a token", proxy.read()));
  assertEquals([tokens(), numbers.count], [["1", "2"], 2]);
});

Deno.test("a proxy that says nothing gets what its socket takes, and nobody waits for it", async () => {
  await using numbers = new Numbers();
  limitSendBuffers(2048);
  using silent = await SilentProxy.connect(numbers.port);
  await waitFor("tokens that nobody reads", () => numbers.count >= 100);
  await using proxy = new TestProxy(numbers.address);
  await proxy.take(16);
  // Without the limit, 290,000 are under way at this moment.
  numbers.remaining = 0;
  assert(numbers.count < 10_000, `${numbers.count} tokens`);
  const all = () => [...silent.tokens, ...proxy.tokens];
  while (all().length < numbers.count) assert(await within("a token", silent.read()));
  assertEquals(sorted(all()), upTo(numbers.count));
});

Deno.test("whoever is no proxy is closed, told of once, and disturbs nobody", async () => {
  await using numbers = new Numbers();
  const cases = [
    encoder.encode("GET / HTTP/1.0\r\n\r\n"),
    headerOf(PUSH),
    Uint8Array.from([...headerOf(PULL), 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
    Uint8Array.from([...headerOf(PULL), ...framed(encoder.encode("want much"), "tcp")]),
    new Uint8Array(100_000),
  ];
  for (const bytes of cases) {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: numbers.port });
    await conn.write(bytes).catch(() => {});
    const end = async () => {
      const buffer = new Uint8Array(1000);
      while ((await conn.read(buffer).catch(() => null)) !== null);
    };
    await within("the end", end());
  }
  await using proxy = new TestProxy(numbers.address);
  await proxy.take(2);
  const warnings = numbers.said.filter((text) => text.startsWith("warning"));
  assertEquals(warnings.length, 1);
  assertMatch(warnings[0] ?? "", /speaks no SP \(sent 47 45 54 20 2f 20 48 54\): expected PULL/);
});

Deno.test("one that connects and says nothing is given up", async () => {
  const clock = new ManualClock();
  await using numbers = new Numbers({ clock });
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: numbers.port });
  const buffer = new Uint8Array(100);
  assertEquals(await within("the header", conn.read(buffer)), 8);
  await waitFor("its deadline", () => clock.sleeperCount === 1);
  await clock.advance(5000);
  assertEquals(await within("the end", conn.read(buffer).catch(() => null)), null);
});

Deno.test("one that has spoken and is silent for 30 s is gone; one that never did may be", async () => {
  const clock = new ManualClock();
  await using numbers = new Numbers({ clock });
  numbers.remaining = 0;
  using foreign = await SilentProxy.connect(numbers.port);
  using own = await SilentProxy.connect(numbers.port);
  await waitFor("both", () => numbers.pusher.peers.size === 2);
  await own.say("have a:1 2");
  await waitFor("its word", () => numbers.heard.length === 1);
  await waitFor("its watch", () => clock.sleeperCount === 1);
  for (let i = 0; i < 4; i++) await clock.advance(10_000);
  await waitFor("its end", () => numbers.left.length === 1);
  assertEquals(numbers.pusher.peers.size, 1);
  while (await within("the end", own.read()));
  // Signs of life are empty; a foreign proxy would take them for tokens.
  assert(own.tokens.length > 0 && own.tokens.every((token) => token === ""));
  numbers.remaining = 1;
  numbers.pusher.kick();
  while (foreign.tokens.length === 0) assert(await within("a token", foreign.read()));
  assertEquals(foreign.tokens, ["1"]);
});

Deno.test("lines take turns from the second on, and a new list goes on where the last one stood", async () => {
  const supply = new PlainSupply();
  const list = (...texts: string[]) => texts.map((text) => encoder.encode(text));
  const next = () => new TextDecoder().decode(supply.next());
  assertEquals(supply.next(), undefined);
  await supply.take(list("a", "b", "c"));
  assertEquals([next(), next(), next(), next()], ["b", "c", "a", "b"]);
  await supply.take(list("d", "e", "f", "g"));
  assertEquals([next(), next(), next()], ["f", "g", "d"]);
  await supply.take(list("h"));
  assertEquals([next(), next()], ["h", "h"]);
  await supply.take([]);
  assertEquals(supply.next(), undefined);
});

Deno.test("a link to one that never stops talking leaves others their turns", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [conn, other] = await Promise.all([
    Deno.connect({ port: listener.addr.port }),
    listener.accept(),
  ]);
  using _other = other;
  const MOST_READS = 100;
  let reads = 0;
  // Messages of nothing behind the header. A read that finds bytes at once is over before anybody else's turn.
  conn.read = (buffer) => {
    buffer.fill(0);
    if (reads === 0) buffer.set(headerOf(PULL));
    return Promise.resolve(reads++ < MOST_READS ? buffer.length : null);
  };
  const parts = { clock: SYSTEM_CLOCK, own: PUSH, mostBytes: 1, drained: () => {} } as const;
  await using link = new SpLink(conn, parts);
  await link.greeted();
  let isTheirTurn = false;
  const timer = setTimeout(() => isTheirTurn = true);
  while (!isTheirTurn && reads < MOST_READS) await link.next(4096);
  clearTimeout(timer);
  assert(isTheirTurn, `nobody else had a turn in ${reads} reads`);
});
