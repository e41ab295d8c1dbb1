import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Address } from "../../../../lib/core/values/address.ts";
import { readIp } from "../../../../lib/core/values/ip.ts";
import {
  decodeSockaddr,
  encodeSockaddr,
  readSockaddrIp,
} from "../../../../lib/engine/splice/sockaddr.ts";

const NO_INTERFACES = () => 0;

/** The address as it comes back from the kernel's form. */
function roundTrip(address: Address): Address | undefined {
  const bytes = encodeSockaddr(address, NO_INTERFACES);
  if (bytes === undefined) return undefined;
  const words = new Uint8Array(28);
  words.set(bytes.subarray(0, 28));
  return decodeSockaddr(new Int32Array(words.buffer));
}

const port = fc.integer({ min: 0, max: 65535 });

Deno.test("encodeSockaddr() and decodeSockaddr() agree on every IPv4 address", () => {
  fc.assert(fc.property(fc.ipV4(), port, (host, port) => {
    assertEquals(roundTrip({ transport: "tcp", host, port }), { transport: "tcp", host, port });
  }));
});

Deno.test("encodeSockaddr() and decodeSockaddr() agree on IPv6 as the URL standard writes it", () => {
  const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
  const groups = fc.array(group, { minLength: 8, maxLength: 8 });
  fc.assert(fc.property(groups, port, (groups, port) => {
    const host = groups.map((group) => group.toString(16)).join(":");
    const canonical = new URL(`http://[${host}]/`).hostname.slice(1, -1);
    const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
    fc.pre(!mapped);
    const expected = { transport: "tcp", host: canonical, port } as const;
    assertEquals(roundTrip({ transport: "tcp", host, port }), expected);
    assertEquals(roundTrip(expected), expected);
  }));
});

Deno.test("decodeSockaddr() turns IPv4-mapped IPv6 into IPv4", () => {
  fc.assert(fc.property(fc.ipV4(), port, (host, port) => {
    const mapped = { transport: "tcp", host: `::ffff:${host}`, port } as const;
    assertEquals(roundTrip(mapped), { transport: "tcp", host, port });
  }));
});

Deno.test("encodeSockaddr() writes the bytes that the kernel reads", () => {
  const v4 = encodeSockaddr({ transport: "tcp", host: "192.0.2.1", port: 22 }, NO_INTERFACES);
  assertEquals([...v4 ?? []], [2, 0, 0, 22, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  const unix = encodeSockaddr({ transport: "unix", path: "/a" }, NO_INTERFACES);
  assertEquals([...unix ?? []], [1, 0, 47, 97, 0]);
  const zoned = { transport: "tcp", host: "fe80::1%eth7", port: 1 } as const;
  const v6 = encodeSockaddr(zoned, (name) => name === "eth7" ? 7 : 0);
  assertEquals([v6?.length, v6?.[0], v6?.[3], v6?.[8], v6?.[24]], [28, 10, 1, 0xfe, 7]);
  assertEquals(
    encodeSockaddr({ transport: "tcp", host: "name", port: 1 }, NO_INTERFACES),
    undefined,
  );
});

Deno.test("readSockaddrIp() gives the words that readIp() gives for the text", () => {
  const ip = new Uint32Array(4);
  const expected = new Uint32Array(4);
  fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), port, (host, port) => {
    const bytes = encodeSockaddr({ transport: "tcp", host, port }, NO_INTERFACES) ??
      new Uint8Array();
    const words = new Int32Array(9);
    new Uint8Array(words.buffer, 8).set(bytes);
    // Mapped addresses count as IPv4 in both.
    const decoded = decodeSockaddr(words, 2);
    const count = decoded.transport === "tcp" ? readIp(decoded.host, expected) : 0;
    assertEquals(readSockaddrIp(words, 2, ip), count);
    assertEquals(ip.subarray(0, count), expected.subarray(0, count));
  }));
  assertEquals(readSockaddrIp(Int32Array.of(1), 0, ip), 0);
});
