import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatIp, readIp } from "../../../../lib/core/values/ip.ts";
import { behind, formatNetwork, parseNetwork } from "../../../../lib/core/values/network.ts";
import { network } from "../../../support/arbitraries.ts";

/** An address as one number. */
function valueOf(words: readonly number[]): bigint {
  return words.reduce((value, word) => value << 32n | BigInt(word), 0n);
}

Deno.test("formatIp() and readIp() are each other's inverse", () => {
  const word = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff_ffff }));
  const ip = fc.oneof(fc.tuple(word), fc.tuple(word, word, word, word));
  fc.assert(fc.property(ip, (words) => {
    const read = new Uint32Array(4);
    assertEquals(readIp(formatIp(words), read), words.length);
    assertEquals([...read.subarray(0, words.length)], words);
  }));
});

Deno.test("readIp() reads every literal as the URL standard does, and nothing else", () => {
  const words = new Uint32Array(4);
  fc.assert(fc.property(fc.ipV6(), (text) => {
    assertEquals(readIp(text, words), 4);
    assertEquals(formatIp(words), new URL(`http://[${text}]/`).hostname.slice(1, -1));
  }));
  fc.assert(fc.property(fc.ipV4(), (text) => {
    assertEquals(readIp(text, words), 1);
    assertEquals(formatIp(words.subarray(0, 1)), text);
  }));
  assertEquals(readIp("fe80::1%eth0", words), 4);
  for (const text of ["", "hoek", "1.2.3", "1:2", "192.0.2.0/24"]) {
    assertEquals([text, readIp(text, words)], [text, 0]);
  }
});

Deno.test("formatNetwork() and parseNetwork() are each other's inverse", () => {
  fc.assert(fc.property(network, (one) => {
    assertEquals(parseNetwork(formatNetwork(one)), { ok: true, value: one });
  }));
});

Deno.test("behind() is the first address after a network", () => {
  fc.assert(fc.property(network, (one) => {
    const bits = 32 * one.words.length;
    const expected = valueOf(one.words) + 2n ** BigInt(bits - one.prefix);
    const found = behind(one);
    if (expected === 2n ** BigInt(bits)) assertEquals(found, undefined);
    else assertEquals(found && valueOf(found), expected);
  }));
});

Deno.test("parseNetwork() takes an address alone for the network of it", () => {
  const written = (text: string) => {
    const result = parseNetwork(text);
    return result.ok ? formatNetwork(result.value) : result.message;
  };
  assertEquals(["192.0.2.1", "2001:DB8::1", "0.0.0.0/0", "::/0", "::1.2.3.4/127"].map(written), [
    "192.0.2.1/32",
    "2001:db8::1/128",
    "0.0.0.0/0",
    "::/0",
    "::102:304/127",
  ]);
});

Deno.test("parseNetwork() says what was meant where bits are set behind the prefix", () => {
  const reason = (text: string) => {
    const result = parseNetwork(text);
    return result.ok ? "" : result.message;
  };
  const said: readonly [text: string, message: string][] = [
    [
      "192.0.2.1/24",
      'Cannot use "192.0.2.1/24" as a network: bits are set behind the prefix, did you mean "192.0.2.0/24"?',
    ],
    [
      "2001:db8::1/32",
      'Cannot use "2001:db8::1/32" as a network: bits are set behind the prefix, did you mean "2001:db8::/32"?',
    ],
    [
      "::ffff:192.0.2.0/120",
      'Cannot use "::ffff:192.0.2.0/120" as a network: such clients count as IPv4, did you mean "192.0.2.0/24"?',
    ],
    ["10.0.0.0/33", 'Cannot read "33" as the prefix of "10.0.0.0": expected 0 to 32'],
    [
      "10.0.0.0/255.0.0.0",
      'Cannot read "255.0.0.0" as the prefix of "10.0.0.0": expected 0 to 32',
    ],
    ["::/129", 'Cannot read "129" as the prefix of "::": expected 0 to 128'],
  ];
  for (const [text, message] of said) assertEquals(reason(text), message);
});

Deno.test("parseNetwork() returns a reason for any text and never throws", () => {
  const parts = fc.constantFrom(..."0123456789abcdef:./%".split(""), "::", "10.0.0.0", "/8");
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.array(parts).map((all) => all.join("")));
  fc.assert(
    fc.property(text, (text) => {
      const result = parseNetwork(text);
      if (result.ok) assertEquals(parseNetwork(formatNetwork(result.value)), result);
      else assert(result.message.length > 20);
    }),
    { numRuns: 1000 },
  );
  for (
    const bad of ["", "/", "10.0.0.0/", "10.0.0.0/8/8", "fe80::%1/64", "10.0.0.0/08", "hoek/8"]
  ) {
    assertEquals([bad, parseNetwork(bad).ok], [bad, false]);
  }
});
