import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import type { Address } from "../../../../lib/core/values/address.ts";
import { identityOf, mixWords, Source } from "../../../../lib/core/pick/source.ts";
import { encodeSockaddr, readSource } from "../../../../lib/engine/splice/sockaddr.ts";

function fromText(host: string): Source {
  const source = new Source();
  source.setAddress({ transport: "tcp", host, port: 4711 });
  return source;
}

function fromSockaddr(address: Address): Source {
  const bytes = new Uint8Array(32);
  const encoded = encodeSockaddr(address, () => 3);
  assert(encoded !== undefined);
  bytes.set(encoded.subarray(0, 28));
  const source = new Source();
  readSource(new Int32Array(bytes.buffer), 0, source);
  return source;
}

/** Pearson's statistic of hashes over equal bins. */
function chiSquare(hashes: readonly number[], bins: number): number {
  const counts = new Array<number>(bins).fill(0);
  for (const hash of hashes) {
    const bin = Math.floor((hash >>> 0) / 2 ** 32 * bins);
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const due = hashes.length / bins;
  return counts.reduce((sum, count) => sum + (count - due) ** 2 / due, 0);
}

Deno.test("text and sockaddr give the same source, whatever the port", () => {
  const ports = fc.tuple(fc.integer({ min: 0, max: 65535 }), fc.integer({ min: 0, max: 65535 }));
  const hosts = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV4().map((host) => `::ffff:${host}`),
    fc.ipV6().map((host) => `${host}%eth0`),
  );
  fc.assert(
    fc.property(hosts, ports, (host, [one, other]) => {
      const text = new Source();
      text.setAddress({ transport: "tcp", host, port: one });
      assertEquals(fromSockaddr({ transport: "tcp", host, port: other }), text);
      assert(text.family === 4 || text.family === 6);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("mapped IPv4 is IPv4, an IPv6 client is its /64, a unix client is nobody", () => {
  assertEquals(fromText("::ffff:192.0.2.1"), fromText("192.0.2.1"));
  assertEquals(fromText("::ffff:c000:201"), fromText("192.0.2.1"));
  assertEquals(fromText("2001:db8:1:2::1"), fromText("2001:db8:1:2:ffff::9"));
  assertNotEquals(fromText("2001:db8:1:2::1").hash, fromText("2001:db8:1:3::1").hash);
  assertNotEquals(fromText("192.0.2.1").hash, fromText("192.0.2.2").hash);
  const unix = new Source();
  unix.setIpv4(5);
  unix.setAddress({ transport: "unix", path: "/run/x" });
  assertEquals([unix.family, unix.hash], [0, 0]);
  assertEquals(fromSockaddr({ transport: "unix", path: "/x" }), unix);
});

Deno.test("neighbouring addresses spread evenly", () => {
  const bins = 64;
  // 63 degrees of freedom: more than 103.4 comes up once in a thousand times by chance.
  const limit = 103.4;
  const v4 = Array.from({ length: 4096 }, (_, i) => fromText(`10.1.${i >> 8}.${i & 255}`).hash);
  assert(chiSquare(v4, bins) < limit, `${chiSquare(v4, bins)}`);
  const v6 = Array.from(
    { length: 4096 },
    (_, i) => fromText(`2001:db8:0:${i.toString(16)}::1`).hash,
  );
  assert(chiSquare(v6, bins) < limit, `${chiSquare(v6, bins)}`);
  // Ranks of one backend, and of backends whose names hardly differ.
  const identity = identityOf("node1:22");
  const ranks = v4.map((hash) => mixWords(hash, identity));
  assert(chiSquare(ranks, bins) < limit, `${chiSquare(ranks, bins)}`);
  const names = Array.from({ length: 4096 }, (_, i) => identityOf(`node${i}:22`));
  assert(chiSquare(names, bins) < limit, `${chiSquare(names, bins)}`);
  const hash = v4[0] ?? 0;
  const order = names.map((name) => mixWords(hash, name));
  assert(chiSquare(order, bins) < limit, `${chiSquare(order, bins)}`);
});

Deno.test("hashes are what they were in earlier versions, or every client would move", () => {
  assertEquals(
    [fromText("192.0.2.1").hash, fromText("2001:db8::1").hash, identityOf("hoek:22")],
    [1591144455, -146192887, -1272363203],
  );
});
