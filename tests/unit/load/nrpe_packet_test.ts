import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  decodeQuery,
  decodeResponse,
  encodeQuery,
  encodeResponse,
  expectedLength,
  MAX_COMMAND_BYTES,
  MAX_PACKET_BYTES,
  type NrpeVersion,
} from "../../../lib/load/nrpe_packet.ts";

const VERSIONS: readonly NrpeVersion[] = [2, 3, 4];

function valueOf<T>(result: { ok: true; value: T } | { ok: false; message: string }): T {
  assert(result.ok, result.ok ? "" : result.message);
  return result.value;
}

function messageOf(result: { ok: true } | { ok: false; message: string }): string {
  assert(!result.ok, "expected a failure");
  return result.message;
}

Deno.test("encodeQuery() makes the documented bytes", () => {
  // CRC-32 and layout computed independently, with zlib's crc32 over the documented struct.
  const v2 = valueOf(encodeQuery(2, "check_load"));
  assertEquals(v2.length, 1036);
  assertEquals([...v2.subarray(0, 4)], [0, 2, 0, 1]);
  assertEquals(new TextDecoder().decode(v2.subarray(10, 20)), "check_load");
  assertEquals(new DataView(v2.buffer).getUint32(4), V2_CRC);
  const v4 = valueOf(encodeQuery(4, "check_load"));
  assertEquals(v4.length, 1036);
  assertEquals([...v4.subarray(0, 4)], [0, 4, 0, 1]);
  assertEquals([...v4.subarray(8, 16)], [0, 0, 0, 0, 0, 0, 0x03, 0xfc]);
  assertEquals(new DataView(v4.buffer).getUint32(4), V4_CRC);
});

const V2_CRC = 0x155da32a;
const V4_CRC = 0xde6f9b4e;

Deno.test("encodeQuery() rejects commands that do not fit", () => {
  for (const command of ["", "a\0b", "x".repeat(MAX_COMMAND_BYTES + 1)]) {
    assertEquals(encodeQuery(2, command).ok, false);
    assertEquals(encodeQuery(4, command).ok, false);
  }
  assertEquals(encodeQuery(2, "x".repeat(MAX_COMMAND_BYTES)).ok, true);
});

Deno.test("queries and responses come back as they went", () => {
  const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 200 })
    .filter((value) => !value.includes("\0") && new TextEncoder().encode(value).length <= 1000);
  fc.assert(fc.property(text, fc.integer({ min: -32768, max: 32767 }), (value, code) => {
    const expected = value.isWellFormed() ? value : value.toWellFormed();
    for (const version of [2, 4] as const) {
      const query = valueOf(decodeQuery(valueOf(encodeQuery(version, value))));
      assertEquals(query, { version, kind: "query", resultCode: 0, text: expected });
    }
    for (const version of VERSIONS) {
      const bytes = encodeResponse(version, code, value);
      assertEquals(valueOf(expectedLength(bytes)), bytes.length);
      const response = valueOf(decodeResponse(bytes));
      assertEquals(response, { version, kind: "response", resultCode: code, text: expected });
    }
  }));
});

Deno.test("encodeResponse() cuts output that does not fit", () => {
  const output = "x".repeat(100_000);
  assertEquals(valueOf(decodeResponse(encodeResponse(2, 0, output))).text.length, 1023);
  for (const version of [3, 4] as const) {
    const bytes = encodeResponse(version, 0, output);
    assert(bytes.length <= MAX_PACKET_BYTES);
    assert(valueOf(decodeResponse(bytes)).text.length > 65_000);
  }
});

Deno.test("expectedLength() tells the length as soon as it can be known", () => {
  for (const version of VERSIONS) {
    const bytes = encodeResponse(version, 0, "LOAD OK");
    const known = version === 2 ? 2 : 16;
    for (let length = 0; length <= bytes.length; length++) {
      assertEquals(
        valueOf(expectedLength(bytes.subarray(0, length))),
        length < known ? undefined : bytes.length,
      );
    }
  }
});

Deno.test("decodeResponse() says what is wrong", () => {
  const good = encodeResponse(4, 0, "LOAD OK");
  const change = (index: number, value: number) => {
    const bytes = good.slice();
    bytes[index] = value;
    return bytes;
  };
  assertEquals(messageOf(decodeResponse(good.subarray(0, 20))), "cut short: 20 of 24 bytes");
  assertEquals(messageOf(decodeResponse(good.subarray(0, 3))), "cut short: 3 bytes");
  assertEquals(messageOf(decodeResponse(change(20, 1))), "CRC mismatch");
  assertEquals(messageOf(decodeResponse(change(3, 1))), "packet type 1, expected a response");
  assertEquals(messageOf(decodeQuery(good)), "packet type 2, expected a query");
  assertEquals(
    messageOf(decodeResponse(change(1, 9))),
    "not an NRPE packet: version 9, expected 2, 3 or 4",
  );
  assertEquals(
    messageOf(decodeResponse(change(12, 0xff))),
    "packet claims 4278190104 bytes, expected at most 65536",
  );
  assertEquals(
    messageOf(decodeResponse(new Uint8Array([...good, 0, 0]))),
    "2 bytes too many after 24",
  );
});

Deno.test("no byte of a packet can be changed unnoticed, save those that make it another length", () => {
  for (const version of VERSIONS) {
    const good = encodeResponse(version, 0, "LOAD OK|load1=0.100");
    for (let at = 0; at < good.length; at++) {
      const bytes = good.slice();
      bytes[at] = (bytes[at] ?? 0) ^ 0x10;
      assertEquals(decodeResponse(bytes).ok, false, `v${version}, byte ${at}`);
    }
  }
});

Deno.test("the decoders take a million damaged packets without a throw", () => {
  // A small generator of its own: fast, and repeatable from the seed.
  const seed = Number(Deno.env.get("COMPUTE_LB_TEST_SEED") ?? Date.now() % 0x7fffffff);
  console.log(`COMPUTE_LB_TEST_SEED=${seed}`);
  let state = seed;
  const below = (limit: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * limit);
  };
  const packets = [
    valueOf(encodeQuery(2, "check_load")),
    valueOf(encodeQuery(4, "check_load")),
    ...VERSIONS.map((version) => encodeResponse(version, 2, "LOAD CRITICAL|load1=9.500;;;0;")),
  ];
  const room = new Uint8Array(2048);
  let accepted = 0;
  for (let round = 0; round < 1_000_000; round++) {
    const packet = packets[below(packets.length)] ?? room;
    room.set(packet);
    let length = packet.length;
    for (let change = below(4); change > 0; change--) {
      switch (below(3)) {
        case 0:
          room[below(length)] = below(256);
          break;
        case 1:
          length = 1 + below(length);
          break;
        default:
          // Headers are where lengths and versions are.
          room[below(Math.min(16, length))] = below(256);
      }
    }
    const bytes = room.subarray(0, length);
    const expected = expectedLength(bytes);
    assert(!expected.ok || expected.value === undefined || expected.value <= MAX_PACKET_BYTES);
    const result = below(2) === 0 ? decodeQuery(bytes) : decodeResponse(bytes);
    if (result.ok) accepted++;
    room.fill(0, 0, packet.length);
  }
  // A quarter is left whole, half of it read by the right decoder.
  assert(accepted > 100_000 && accepted < 200_000, `${accepted} were accepted`);
});

Deno.test("the decoders take any bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => {
      assertEquals(decodeResponse(bytes).ok, false);
      assertEquals(decodeQuery(bytes).ok, false);
    }),
    { numRuns: 2000 },
  );
});
