import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type Address,
  formatAddress,
  isIpv4,
  isIpv6,
  parseBackendAddress,
  parseListenAddress,
  sameAddress,
  unmapHost,
} from "../../../../lib/core/values/address.ts";
import { address } from "../../../support/arbitraries.ts";

Deno.test("formatAddress() and parseBackendAddress() are each other's inverse", () => {
  fc.assert(fc.property(address(1), (written) => {
    assertEquals(parseBackendAddress(formatAddress(written)), { ok: true, value: written });
  }));
});

Deno.test("formatAddress() and parseListenAddress() are each other's inverse", () => {
  fc.assert(fc.property(address(0), (written) => {
    assertEquals(parseListenAddress(formatAddress(written)), { ok: true, value: written });
  }));
});

Deno.test("address parsers return a reason for any text and never throw", () => {
  fc.assert(
    fc.property(anyAddressText, (text) => {
      for (const result of [parseListenAddress(text), parseBackendAddress(text, 22)]) {
        if (result.ok) assertEquals(parseListenAddress(formatAddress(result.value)).ok, true);
        else assert(result.message.length > 10);
      }
    }),
    { numRuns: 1000 },
  );
});

const anyAddressText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom(..."[]:.%/0123456789abfux-_=") }),
  fc.string().map((text) => `unix:${text}`),
);

Deno.test("parseListenAddress() reads every local address", () => {
  const every: Address = { transport: "tcp", host: "", port: 22 };
  assertEquals(parseListenAddress(":22"), { ok: true, value: every });
});

Deno.test("parseListenAddress() tells how a bare port is written", () => {
  const result = parseListenAddress("22");
  assertEquals(
    result.ok || result.message,
    'Cannot read "22" as an address to listen on: write ":22"',
  );
});

Deno.test("parseBackendAddress() rejects what is no address", () => {
  const bad = [
    "",
    ":22",
    "a:",
    "a:0",
    "a:65536",
    "a:22x",
    "a:-1",
    "a: 22",
    "[::1",
    "[::1]22",
    "[::1]:",
    "[a]:1",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "a b",
    "-a",
    "a-",
    "a..b",
    "::1::",
    "/run/x",
    "unix:x",
    "unix:",
    "a:1:2",
    "[fe80::1%]:1",
    `${"a".repeat(64)}:1`,
    `unix:/${"x".repeat(107)}`,
    "unix:/a\nb",
  ];
  for (const text of bad) assertEquals([text, parseBackendAddress(text, 22).ok], [text, false]);
});

Deno.test("parseBackendAddress() takes the default port only where none is written", () => {
  const port = (text: string) => {
    const result = parseBackendAddress(text, 22);
    return result.ok && result.value.transport === "tcp" ? result.value.port : undefined;
  };
  assertEquals(["a", "a:23", "::1", "[::1]", "[::1]:24"].map(port), [22, 23, 22, 22, 24]);
});

Deno.test("isIpv6() knows RFC 4291's forms", () => {
  const good = [
    "::",
    "::1",
    "1::",
    "2001:db8::8:800:200c:417a",
    "1:2:3:4:5:6:7:8",
    "::ffff:1.2.3.4",
    "fe80::1%eth0",
    "1:2:3:4:5:6:1.2.3.4",
  ];
  const bad = [
    "",
    ":",
    ":::",
    "1",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1::2::3",
    "12345::",
    "g::",
    "::1.2.3",
    "::1.2.3.256",
    "1:2:3:4:5:6:7:1.2.3.4",
    "fe80::1%",
  ];
  assertEquals(good.filter((text) => !isIpv6(text)), []);
  assertEquals(bad.filter(isIpv6), []);
});

Deno.test("isIpv4() accepts four decimal bytes and no octal", () => {
  assertEquals(["0.0.0.0", "255.255.255.255"].every(isIpv4), true);
  assertEquals(["1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", "1.2.3.-4"].some(isIpv4), false);
});

Deno.test("sameAddress() ignores the case of host names, not of paths", () => {
  const tcp = (host: string): Address => ({ transport: "tcp", host, port: 1 });
  const unix = (path: string): Address => ({ transport: "unix", path });
  assertEquals(sameAddress(tcp("Hoek"), tcp("hoek")), true);
  assertEquals(sameAddress(tcp("hoek"), tcp("kelvin")), false);
  assertEquals(sameAddress(unix("/A"), unix("/a")), false);
  assertEquals(sameAddress(unix("/a"), unix("/a")), true);
});

Deno.test("unmapHost() turns only mapped IPv4 into IPv4", () => {
  assertEquals(unmapHost("::ffff:192.0.2.1"), "192.0.2.1");
  assertEquals(unmapHost("::FFFF:192.0.2.1"), "192.0.2.1");
  assertEquals(unmapHost("::1"), "::1");
});
