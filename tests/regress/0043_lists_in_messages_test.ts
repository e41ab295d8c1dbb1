// "backends: a, b, c", which is text to YAML, was said to be a bad host name; and "backends:" with all its
// lines commented out was said to hold a backend without an address.

import { assertEquals } from "@std/assert";
import { readConfig } from "../../lib/config/read_config.ts";

function messagesOf(backends: string): string[] {
  const text = `frontends: { f: { listen: ":22" } }\npools:\n  p:\n    backends:${backends}\n`;
  const read = readConfig({ file: { path: "lb.conf", text } });
  return read.ok ? [] : read.errors.map(({ path, message }) => `${path}: ${message}`);
}

Deno.test("backends with commas between, outside of brackets, are told from a bad name", () => {
  assertEquals(messagesOf(" hoek, kelvin:22"), [
    'pools.p.backends: Cannot read "hoek, kelvin:22" as one backend: several are a list, ' +
    "write [hoek, kelvin:22]",
  ]);
  assertEquals(messagesOf(" a,b,c,d"), [
    'pools.p.backends: Cannot read "a,b,c,d" as one backend: several are a list, ' +
    "write [a, b, c, ...]",
  ]);
  assertEquals(messagesOf(" a,"), [
    'pools.p.backends: Cannot read "a," as a host: expected a name, IPv4 or [IPv6]',
  ]);
  assertEquals(messagesOf(' "unix:/run/a,b"'), [
    'pools.p.backends[0]: Cannot ask "unix:/run/a,b" for its load by nrpe: expected load_address: ' +
    '"host[:port]"',
  ]);
});

Deno.test("a list with nothing in it is said to be empty", () => {
  for (const nothing of ["", "\n      # - hoek", " []"]) {
    assertEquals(messagesOf(nothing), [
      "pools.p: Cannot use a pool without backends: expected at least one under backends, discovery or feed",
    ]);
  }
});
