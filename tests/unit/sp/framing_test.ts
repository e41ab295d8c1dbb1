import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatWord, parseWord, type Word } from "../../../lib/sp/back_channel.ts";
import { formatEndpoint, parseEndpoint } from "../../../lib/sp/endpoint.ts";
import {
  type Carrier,
  framed,
  headerOf,
  PULL,
  PUSH,
  type SocketType,
  SpReader,
} from "../../../lib/sp/framing.ts";

const CARRIERS: readonly Carrier[] = ["tcp", "unix"];

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.split(" "), (byte) => parseInt(byte, 16));
}

/** Feeds pieces, and gives every message, or the message of the failure. */
function readAll(
  pieces: readonly Uint8Array[],
  { carrier = "tcp", peer = PUSH, most = 1024 }: {
    carrier?: Carrier;
    peer?: SocketType;
    most?: number;
  } = {},
): string[] | string {
  const reader = new SpReader(carrier, peer, most);
  const messages: string[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let next = reader.next(); next.ok; next = reader.next()) {
      if (next.value === undefined) break;
      messages.push(new TextDecoder().decode(next.value));
    }
    const next = reader.next();
    if (!next.ok) return next.message;
  }
  return messages;
}

Deno.test("sp: a header and a message are the bytes that lbtk's generator sends", () => {
  assertEquals(headerOf(PUSH), bytesOf("00 53 50 00 00 50 00 00"));
  assertEquals(headerOf(PULL), bytesOf("00 53 50 00 00 51 00 00"));
  const body = new TextEncoder().encode("a:1");
  assertEquals(framed(body, "tcp"), bytesOf("00 00 00 00 00 00 00 03 61 3a 31"));
  assertEquals(framed(body, "unix"), bytesOf("01 00 00 00 00 00 00 00 03 61 3a 31"));
});

Deno.test("sp: messages are read whatever pieces they come in", () => {
  fc.assert(fc.property(
    fc.constantFrom(...CARRIERS),
    fc.array(fc.string({ maxLength: 40 }), { maxLength: 8 }),
    fc.array(fc.nat({ max: 400 }), { maxLength: 20 }),
    (carrier, texts, cuts) => {
      const whole = [
        ...headerOf(PUSH),
        ...texts.flatMap((text) => [...framed(new TextEncoder().encode(text), carrier)]),
      ];
      const places = [0, ...cuts.filter((cut) => cut < whole.length), whole.length]
        .sort((a, b) => a - b);
      const pieces = places.map((at, i) => Uint8Array.from(whole.slice(at, places[i + 1] ?? at)));
      assertEquals(readAll(pieces, { carrier }), texts);
    },
  ));
});

Deno.test("sp: every split of one stream in two gives the same", () => {
  for (const carrier of CARRIERS) {
    const whole = Uint8Array.from([
      ...headerOf(PULL),
      ...framed(new TextEncoder().encode("127.0.0.1:8000"), carrier),
      ...framed(new Uint8Array(), carrier),
      ...framed(new TextEncoder().encode("[::1]:22"), carrier),
    ]);
    for (let at = 0; at <= whole.length; at++) {
      const pieces = [whole.subarray(0, at), whole.subarray(at)];
      assertEquals(readAll(pieces, { carrier, peer: PULL }), ["127.0.0.1:8000", "", "[::1]:22"]);
    }
  }
});

Deno.test("sp: garbage is found out by its first byte, never by an exception", () => {
  fc.assert(fc.property(
    fc.uint8Array({ minLength: 1, maxLength: 64 }),
    fc.constantFrom(...CARRIERS),
    (bytes, carrier) => {
      const found = readAll([...bytes].map((byte) => Uint8Array.of(byte)), { carrier });
      const header = headerOf(PUSH);
      const isHeader = bytes.slice(0, 8).every((byte, at) => byte === header[at]);
      assertEquals(typeof found === "string", !isHeader && !isWaiting(bytes, header));
    },
  ));
});

/** The type is judged once the header is whole. */
function isWaiting(bytes: Uint8Array, header: Uint8Array): boolean {
  const wrong = bytes.findIndex((byte, at) => byte !== header[at]);
  return bytes.length < 8 && (wrong === 4 || wrong === 5);
}

Deno.test("sp: what is wrong is said with what was found and what was expected", () => {
  assertEquals(
    readAll([new TextEncoder().encode("GET / HTTP/1.1")]),
    "speaks no SP (sent 47 45 54 20 2f 20 48 54): expected PUSH (00 53 50 00 00 50 00 00)",
  );
  assertEquals(
    readAll([headerOf(PULL)]),
    "is of another type (sent 00 53 50 00 00 51 00 00): expected PUSH (00 53 50 00 00 50 00 00)",
  );
  assertEquals(
    readAll([headerOf(PUSH), bytesOf("02")], { carrier: "unix" }),
    "sent 02 before a message: expected 01",
  );
});

Deno.test("sp: a length is bounded before anything of its message has come", () => {
  const length = (value: bigint) => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value);
    return bytes;
  };
  for (const value of [129n, 1n << 32n, (1n << 63n) + 5n, (1n << 64n) - 1n]) {
    assertEquals(
      readAll([headerOf(PUSH), length(value)], { most: 128 }),
      `sent a message of ${value} bytes: expected at most 128`,
    );
  }
  const longest = "x".repeat(128);
  assertEquals(
    readAll([headerOf(PUSH), framed(new TextEncoder().encode(longest), "tcp")], { most: 128 }),
    [longest],
  );
});

Deno.test("sp: words of the back-channel read as they were written", () => {
  const count = fc.nat({ max: 10_000_000 });
  const token = fc.string({ minLength: 1, maxLength: 60, unit: "grapheme" })
    .filter((text) => text.trim() === text && text !== "");
  fc.assert(fc.property(
    fc.oneof<fc.Arbitrary<Word>[]>(
      fc.record({ kind: fc.constant("want"), count }),
      fc.record({ kind: fc.constant("have"), token, count }),
      fc.record({ kind: fc.constant("end"), token }),
    ),
    (word) => assertEquals(parseWord(formatWord(word)), { ok: true, value: word }),
  ));
  for (
    const text of [
      "",
      "want",
      "want -1",
      "want 1.5",
      "want 99999999999",
      "have 3",
      "end",
      "end ",
      "WANT 1",
    ]
  ) {
    assertEquals(parseWord(text), {
      ok: false,
      message: `said "${text}": expected "want N", "have ADDRESS N" or "end ADDRESS"`,
    });
  }
});

Deno.test("sp: endpoints read as they are written", () => {
  for (
    const text of ["tcp://127.0.0.1:1024", "tcp://[::1]:22", "tcp://gen1:7000", "ipc:///run/gen"]
  ) {
    for (const use of ["dial", "listen"] as const) {
      const read = parseEndpoint(text, use);
      assertEquals(read.ok ? formatEndpoint(read.value) : read.message, text);
    }
  }
  for (const text of ["tcp://*:7000", "tcp://*:0"]) {
    const read = parseEndpoint(text, "listen");
    assertEquals(read.ok ? formatEndpoint(read.value) : read.message, text);
  }
});

Deno.test("sp: what is no endpoint is said", () => {
  const said = (text: string, use: "dial" | "listen") => {
    const read = parseEndpoint(text, use);
    return read.ok ? formatEndpoint(read.value) : read.message;
  };
  const forms = 'expected "tcp://host:port" or "ipc:///path"';
  assertEquals(said("127.0.0.1:80", "dial"), `Cannot read "127.0.0.1:80" as an endpoint: ${forms}`);
  assertEquals(said("udp://h:1", "dial"), `Cannot read "udp://h:1" as an endpoint: ${forms}`);
  assertEquals(
    said("tcp://unix:/x", "listen"),
    `Cannot use the endpoint "tcp://unix:/x": ${forms}`,
  );
  assertEquals(
    said("ipc://x", "dial"),
    'Cannot use the endpoint "ipc://x": Cannot read "unix:x" as a unix socket: expected an absolute path',
  );
  for (const text of ["tcp://*:1", "tcp://:1", "tcp://h", "tcp://h:0", "tcp://h:99999"]) {
    assertEquals(/^Cannot use the endpoint/.test(said(text, "dial")), true, text);
  }
});
