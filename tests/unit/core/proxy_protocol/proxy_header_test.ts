import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { crc32c } from "../../../../lib/core/proxy_protocol/crc32c.ts";
import {
  COMPLETE,
  INCOMPLETE,
  MALFORMED,
  MOST_HEADER_BYTES,
  ProxyHeaderReader,
} from "../../../../lib/core/proxy_protocol/header_reader.ts";
import {
  localHeader,
  ProxyHeaderWriter,
} from "../../../../lib/core/proxy_protocol/header_writer.ts";
import { readIpv4Text, readIpv6Text } from "../../../../lib/core/proxy_protocol/ip_text.ts";
import {
  PROXY_VERSIONS,
  ProxyEndpoint,
  type ProxyVersion,
} from "../../../../lib/core/proxy_protocol/proxy_endpoint.ts";
import {
  type Address,
  formatAddress,
  isIpv4,
  isIpv6,
} from "../../../../lib/core/values/address.ts";
import { canonicalHost, readIp } from "../../../../lib/core/values/ip.ts";
import { bytesOf } from "../../../support/proxy_headers.ts";

const SIGNATURE = "0d0a0d0a000d0a515549540a";

const ip = fc.oneof(fc.ipV4(), fc.ipV6());
const end: fc.Arbitrary<Address> = fc.tuple(ip, fc.integer({ min: 0, max: 65_535 })).map((
  [host, port],
) => ({ transport: "tcp", host: canonicalHost(host), port }));
const version = fc.constantFrom<ProxyVersion>(...PROXY_VERSIONS);

function written(version: ProxyVersion, source: Address, destination: Address): Uint8Array {
  const writer = new ProxyHeaderWriter();
  writer.source.setAddress(source);
  writer.destination.setAddress(destination);
  return writer.bytes.slice(0, writer.write(version));
}

/** What a reader makes of bytes: its verdict, then what it read. */
function read(bytes: Uint8Array, count = bytes.length): string {
  const reader = new ProxyHeaderReader();
  const verdict = reader.read(bytes, count);
  if (verdict === INCOMPLETE) return "incomplete";
  if (verdict === MALFORMED) return "malformed";
  assertEquals(verdict, COMPLETE);
  const { source, destination, length } = reader;
  if (source.count === 0) return `own address, ${length} bytes`;
  return `${formatAddress(source.toAddress())} to ${formatAddress(destination.toAddress())}, ` +
    `${length} bytes`;
}

/** A view that throws when a byte behind `count` is read. */
function guarded(bytes: Uint8Array, count: number): Uint8Array {
  return new Proxy(bytes, {
    get(target, key) {
      if (typeof key === "string" && Number(key) >= count) throw new Error(`read byte ${key}`);
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

Deno.test("what is written is read back, whatever comes behind it", () => {
  fc.assert(
    fc.property(version, end, end, fc.uint8Array(), (version, source, destination, rest) => {
      const header = written(version, source, destination);
      const bytes = new Uint8Array([...header, ...rest]);
      assertEquals(
        read(bytes),
        `${formatAddress(source)} to ${formatAddress(destination)}, ${header.length} bytes`,
      );
    }),
  );
});

Deno.test("every beginning of a header is incomplete, and no byte behind it is read", () => {
  fc.assert(
    fc.property(version, end, end, (version, source, destination) => {
      const header = written(version, source, destination);
      for (let count = 0; count < header.length; count++) {
        assertEquals([count, read(guarded(header, count), count)], [count, "incomplete"]);
      }
      assert(read(guarded(header, header.length)) !== "incomplete");
    }),
    { numRuns: 30 },
  );
});

Deno.test("the guard of these tests notices a read behind the end", () => {
  assertThrows(() => crc32c(guarded(new Uint8Array(8), 7), 8), Error, "read byte 7");
});

Deno.test("no bytes make the reader throw, or read behind their end", () => {
  const any = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.tuple(version, end, end).map(([version, source, destination]) =>
      written(version, source, destination)
    ),
  );
  const change = fc.tuple(fc.nat(400), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(
      any,
      fc.array(change, { maxLength: 4 }),
      fc.uint8Array(),
      (start, changes, rest) => {
        const bytes = new Uint8Array([...start, ...rest]);
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
        const reader = new ProxyHeaderReader();
        const verdict = reader.read(guarded(bytes, bytes.length), bytes.length);
        if (verdict === COMPLETE) assert(reader.length > 0 && reader.length <= bytes.length);
        else assertEquals([reader.source.count, reader.destination.count], [0, 0]);
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("every byte of a version 1 header counts", () => {
  const header = written("v1", at("192.0.2.7", 40_001), at("198.51.100.22", 22));
  const whole = read(header);
  for (let i = 0; i < header.length; i++) {
    for (let byte = 0; byte < 256; byte++) {
      if (byte === header[i]) continue;
      const changed = header.slice();
      changed[i] = byte;
      assert(read(changed) !== whole, `byte ${i} as ${byte}`);
    }
  }
});

Deno.test("literals in bytes are read as those in text are", () => {
  const near = fc.stringMatching(/^[0-9a-fA-F:.]{0,20}$/);
  const words = new Uint32Array(4);
  const expected = new Uint32Array(4);
  fc.assert(
    fc.property(fc.oneof(ip, near, fc.constantFrom("::", "1::", "::1.2.3.4", "1:2")), (text) => {
      const bytes = bytesOf(` ${text} `);
      const from = 1;
      const to = 1 + text.length;
      readIp(text, expected);
      assertEquals(readIpv4Text(bytes, from, to, words), isIpv4(text));
      if (isIpv4(text)) assertEquals(words[0], expected[0]);
      assertEquals(readIpv6Text(bytes, from, to, words), isIpv6(text));
      if (isIpv6(text)) assertEquals(words, expected);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("CRC32c is that of RFC 3720 section B.4", () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);
  assertEquals(crc32c(new Uint8Array(32), 32), 0x8a91_36aa);
  assertEquals(crc32c(new Uint8Array(32).fill(255), 32), 0x62a8_ab43);
  assertEquals(crc32c(ascending, 32), 0x46dd_794e);
  const blanked = ascending.slice();
  blanked.fill(0, 5, 9);
  assertEquals(crc32c(ascending, 32, 5), crc32c(blanked, 32));
});

Deno.test("version 1 headers of the specification, and what is none", () => {
  const cases: readonly (readonly [text: string, expected: string])[] = [
    [
      "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
      "255.255.255.255:65535 to 255.255.255.255:65535, 56 bytes",
    ],
    [
      "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET / HTTP/1.1\r\n",
      "192.168.0.1:56324 to 192.168.0.11:443, 47 bytes",
    ],
    [
      `PROXY TCP6 ${"ffff:".repeat(7)}ffff ${"ffff:".repeat(7)}ffff 65535 65535\r\n`,
      `[${"ffff:".repeat(7)}ffff]:65535 to [${"ffff:".repeat(7)}ffff]:65535, 104 bytes`,
    ],
    ["PROXY TCP6 2001:DB8::1 ::1 1 0\r\n", "[2001:db8::1]:1 to [::1]:0, 32 bytes"],
    ["PROXY TCP6 ::ffff:1.2.3.4 ::ffff:102:306 1 2\r\n", "1.2.3.4:1 to 1.2.3.6:2, 46 bytes"],
    ["PROXY UNKNOWN\r\n", "own address, 15 bytes"],
    ["PROXY UNKNOWN \r\n", "own address, 16 bytes"],
    [
      `PROXY UNKNOWN ${"ffff:".repeat(7)}ffff ${"ffff:".repeat(7)}ffff 65535 65535\r\n`,
      "own address, 107 bytes",
    ],
    ["PROXY UNKNOWN \n\0 anything\r\n", "own address, 27 bytes"],
    [`PROXY UNKNOWN ${"x".repeat(91)}\r\n`, "own address, 107 bytes"],
    [`PROXY UNKNOWN ${"x".repeat(91)}`, "incomplete"],
    [`PROXY UNKNOWN ${"x".repeat(91)}\r`, "incomplete"],
    [`PROXY UNKNOWN ${"x".repeat(92)}`, "malformed"],
    [`PROXY UNKNOWN ${"x".repeat(92)}\r\n`, "malformed"],
    ["PROXY UNKNOWNX\r\n", "malformed"],
    ["PROXY UNKNOW\r\n", "malformed"],
    ["PROXY\r\n", "malformed"],
    ["PROXY \r\n", "malformed"],
    ["PROXYTCP4 1.2.3.4 1.2.3.4 1 2\r\n", "malformed"],
    ["PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "malformed"],
    ["PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", "malformed"],
    ["PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n", "malformed"],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 1  2\r\n", "malformed"],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", "malformed"],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", "malformed"],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "malformed"],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n", "malformed"],
    ["PROXY TCP4 1.2.3.4 1.2.3.4\r\n", "malformed"],
    ["PROXY TCP4 1.2.3.4\r\n", "malformed"],
    ["PROXY TCP4\r\n", "malformed"],
    ["PROXY TCP\r\n", "malformed"],
    ["PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n", "malformed"],
    ["PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", "malformed"],
    ["PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n", "malformed"],
    ["proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "malformed"],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", "incomplete"],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n\r\n", "malformed"],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rX", "malformed"],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r", "incomplete"],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", "malformed"],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 99999999999 2\r\n", "malformed"],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", "malformed"],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n", "malformed"],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", "malformed"],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 0x1 2\r\n", "malformed"],
    ["PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n", "malformed"],
    ["PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n", "malformed"],
    ["PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n", "malformed"],
    ["PROXY TCP4 1.2.3.4.5 1.2.3.4 1 2\r\n", "malformed"],
    ["PROXY TCP4 ::1 ::1 1 2\r\n", "malformed"],
    ["PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", "malformed"],
    ["PROXY TCP6 ::1 1.2.3.4 1 2\r\n", "malformed"],
    ["PROXY TCP6 fe80::1%lo ::1 1 2\r\n", "malformed"],
    ["PROXY TCP6 1::2::3 ::1 1 2\r\n", "malformed"],
    ["PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n", "malformed"],
    ["PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n", "malformed"],
    ["PROXY TCP6 12345::1 ::1 1 2\r\n", "malformed"],
    ["PROXY TCP6 ::g ::1 1 2\r\n", "malformed"],
    ["PROXY TCP6 : ::1 1 2\r\n", "malformed"],
    [`PROXY TCP4 1.2.3.4 ${" ".repeat(100)}`, "malformed"],
    ["SSH-2.0-OpenSSH_9.2\r\n", "malformed"],
    ["GET / HTTP/1.1\r\n", "malformed"],
    ["P", "incomplete"],
    ["PUT / HTTP/1.1\r\n", "malformed"],
    ["\0", "malformed"],
    ["", "incomplete"],
  ];
  for (const [text, expected] of cases) {
    const bytes = bytesOf(text);
    assertEquals([text, read(guarded(bytes, bytes.length))], [text, expected]);
  }
});

Deno.test("version 2 headers of the specification, and what is none", () => {
  const ipv4 = "c0000207" + "c6336416" + "9c41" + "0016";
  const ipv6 = "20010db8000000000000000000000007" + "20010db8000000000000000000000016" + "9c410016";
  const mapped = "00000000000000000000ffffc0000207".repeat(2) + "9c410016";
  const of4 = "192.0.2.7:40001 to 198.51.100.22:22";
  const of6 = "[2001:db8::7]:40001 to [2001:db8::16]:22";
  const unix = "2f".padEnd(432, "0");
  const cases: readonly (readonly [bytes: string, expected: string])[] = [
    [`21 11 000c ${ipv4}`, `${of4}, 28 bytes`],
    [`21 11 000c ${ipv4} 5353482d`, `${of4}, 28 bytes`],
    [`21 21 0024 ${ipv6}`, `${of6}, 52 bytes`],
    [`21 21 0024 ${mapped}`, "192.0.2.7:40001 to 192.0.2.7:22, 52 bytes"],
    // Type-length-values: ALPN, NOOP of no length, one of an unknown type.
    [`21 11 0017 ${ipv4} 01 0002 6832 04 0000 ee 0000`, `${of4}, 39 bytes`],
    [`21 11 000f ${ipv4} 040000`, `${of4}, 31 bytes`],
    [`21 11 000e ${ipv4} 0400`, "malformed"],
    [`21 11 000f ${ipv4} 040001`, "malformed"],
    [`21 11 0010 ${ipv4} 040002 00`, "malformed"],
    // Too short for its addresses.
    [`21 11 000b ${ipv4}`, "malformed"],
    [`21 21 0023 ${ipv6}`, "malformed"],
    [`21 11 0000`, "malformed"],
    // Addresses that are none of ours: the connection's own counts.
    ["21 00 0000", "own address, 16 bytes"],
    ["21 00 0003 aabbcc", "own address, 19 bytes"],
    [`21 12 000c ${ipv4}`, "own address, 28 bytes"],
    [`21 10 000c ${ipv4}`, "own address, 28 bytes"],
    [`21 22 0024 ${ipv6}`, "own address, 52 bytes"],
    [`21 31 00d8 ${unix}`, "own address, 232 bytes"],
    [`21 32 00d8 ${unix}`, "own address, 232 bytes"],
    [`21 31 00d7 ${unix}`, "malformed"],
    // LOCAL: whatever the rest says.
    ["20 00 0000", "own address, 16 bytes"],
    [`20 11 000c ${ipv4}`, "own address, 28 bytes"],
    ["20 11 0000", "own address, 16 bytes"],
    ["20 ff 0003 aabbcc", "own address, 19 bytes"],
    ["20 00 0003 aabb", "incomplete"],
    // Versions, commands, families and protocols that are not assigned.
    [`11 11 000c ${ipv4}`, "malformed"],
    [`31 11 000c ${ipv4}`, "malformed"],
    [`01 11 000c ${ipv4}`, "malformed"],
    ["22", "malformed"],
    ["2f 11 000c", "malformed"],
    [`21 41 000c ${ipv4}`, "malformed"],
    [`21 f1 000c ${ipv4}`, "malformed"],
    [`21 13 000c ${ipv4}`, "malformed"],
    [`21 1f 000c ${ipv4}`, "malformed"],
    // Lengths: as long as is read, and beyond.
    [`21 11 3ff0 ${ipv4}`, "incomplete"],
    [`21 11 3ff1 ${ipv4}`, "malformed"],
    ["20 00 ffff", "malformed"],
    ["21 11 00", "incomplete"],
  ];
  for (const [rest, expected] of cases) {
    const bytes = Uint8Array.fromHex((SIGNATURE + rest).replaceAll(" ", ""));
    assertEquals([rest, read(guarded(bytes, bytes.length))], [rest, expected]);
  }
  const longest = new Uint8Array(MOST_HEADER_BYTES);
  longest.set(Uint8Array.fromHex(SIGNATURE + "21113ff0" + ipv4 + "04" + "3fe1"));
  assertEquals(read(longest), `${of4}, ${MOST_HEADER_BYTES} bytes`);
  assertEquals(read(Uint8Array.fromHex("0d0a0d0a000d0a515549540b")), "malformed");
});

Deno.test("a checksum that a header carries must be its own", () => {
  const start = SIGNATURE + "21110013" + "c0000207c6336416" + "9c410016" + "030004";
  const bytes = Uint8Array.fromHex(start + "00000000");
  const crc = crc32c(bytes, bytes.length);
  const sound = Uint8Array.fromHex(start + crc.toString(16).padStart(8, "0"));
  assertEquals(read(sound), "192.0.2.7:40001 to 198.51.100.22:22, 35 bytes");
  for (let i = 16; i < sound.length; i++) {
    for (let bit = 0; bit < 8; bit++) {
      const changed = sound.slice();
      changed[i]! ^= 1 << bit;
      // Only where the type or the length is another does it carry none any more.
      if (i < 28 || i > 30) assertEquals([i, bit, read(changed)], [i, bit, "malformed"]);
    }
  }
  const ofThree = Uint8Array.fromHex(
    start.replace("0013", "0012").replace("030004", "030003") + "000000",
  );
  assertEquals(read(ofThree), "malformed");
});

Deno.test("headers say what HAProxy's say of clients on unix sockets, of probes, of two families", () => {
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const unix: Address = { transport: "unix", path: "" };
  assertEquals(text(written("v1", unix, at("192.0.2.1", 22))), "PROXY UNKNOWN\r\n");
  assertEquals(text(localHeader("v1")), "PROXY UNKNOWN\r\n");
  assertEquals(written("v2", unix, unix).toHex(), SIGNATURE + "20000000");
  assertEquals(localHeader("v2").toHex(), SIGNATURE + "20000000");
  assertEquals(
    text(written("v1", at("192.0.2.7", 1), at("2001:db8::16", 2))),
    "PROXY TCP6 ::ffff:c000:207 2001:db8::16 1 2\r\n",
  );
  assertEquals(
    text(written("v1", at("fe80::7%lo", 65_535), at("::", 0))),
    "PROXY TCP6 fe80::7 :: 65535 0\r\n",
  );
});

Deno.test("an endpoint has no more than its last address", () => {
  const endpoint = new ProxyEndpoint();
  endpoint.setAddress(at("2001:db8::7", 22));
  endpoint.setAddress(at("::ffff:192.0.2.7", 23));
  assertEquals(endpoint.toAddress(), at("192.0.2.7", 23));
  endpoint.setAddress({ transport: "unix", path: "/run/lb.sock" });
  assertEquals([endpoint.toAddress(), endpoint.port], [{ transport: "unix", path: "" }, 0]);
});

function at(host: string, port: number): Address {
  return { transport: "tcp", host, port };
}
