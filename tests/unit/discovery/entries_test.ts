import { assertEquals } from "@std/assert";
import {
  parseEntry,
  parseJsonList,
  parseLines,
  parseNamed,
} from "../../../lib/discovery/entries.ts";

function shown(text: string) {
  const entry = parseEntry(text);
  if (!entry.ok) return entry.message;
  const { address, ...figures } = entry.value;
  return [address.address, address.hasPort, figures];
}

const HOEK = { transport: "tcp", host: "hoek", port: 22 } as const;

Deno.test("an entry is an address with figures behind it", () => {
  assertEquals(shown("hoek:22"), [HOEK, true, {}]);
  assertEquals(shown("hoek"), [{ ...HOEK, port: 1 }, false, {}]);
  assertEquals(shown(" hoek:22=12 weight=0.5\tmax_connections=30 "), [HOEK, true, {
    cores: 12,
    weight: 0.5,
    maxConnections: 30,
  }]);
  assertEquals(shown("hoek:22 cores=8"), [HOEK, true, { cores: 8 }]);
  assertEquals(shown("unix:/run/a=b"), [{ transport: "unix", path: "/run/a=b" }, true, {}]);
});

Deno.test("an entry that cannot be read says why", () => {
  assertEquals(
    shown("hoek:22 wieght=2"),
    'Cannot read "wieght" behind a backend: expected cores=N, weight=W or max_connections=N',
  );
  assertEquals(
    shown("hoek:22 max_connections=-1"),
    'Cannot read "-1" as max_connections: expected an integer from 0 to 1000000',
  );
  assertEquals(
    shown("hoek:22=0"),
    'Cannot read "0" as cores: expected a number above 0, up to 8192',
  );
});

Deno.test("lines are backends, comments and what is skipped", () => {
  const list = parseLines("# ours\nhoek:22 # the old one\r\n\n ke lvin\nhoek:22=4\nkelvin:22");
  assertEquals(list.backends.length, 2);
  assertEquals(list.skipped, [
    'line 4: Cannot read "lvin" behind a backend: expected cores=N, weight=W or max_connections=N',
  ]);
});

Deno.test("a JSON list holds texts and objects", () => {
  const list = parseJsonList(
    '["hoek:22=12", {"address": "kelvin", "weight": 2, "cores": null}, 5]',
  );
  assertEquals(list.ok && list.value.backends.map(({ address: _, ...figures }) => figures), [
    { cores: 12 },
    { weight: 2 },
  ]);
  assertEquals(list.ok && list.value.skipped, [
    'item 3: Cannot use 5 as a backend: expected "host:port" or an object with an address',
  ]);
  assertEquals(parseJsonList("{}"), {
    ok: false,
    message: "Cannot use an object: expected a list of backends",
  });
});

Deno.test("what stands under a name is an entry, an object, or nothing: then the name is one", () => {
  const text = (name: string, value: string) => {
    const entry = parseNamed(name, value);
    return entry.ok ? { ...entry.value.address, ...entry.value } : entry.message;
  };
  assertEquals(text("x", "hoek:22=12"), text("", "hoek:22=12"));
  assertEquals(text("hoek:22", " \n"), text("", "hoek:22"));
  assertEquals(text("hoek:22", '{"cores": 12, "port": null}'), text("", "hoek:22=12"));
  assertEquals(text("x", '{"address": "fe80::1", "port": 22}'), text("", "[fe80::1]:22"));
  assertEquals(
    text("x", '{"address": "hoek:22", "port": 22}'),
    'Cannot read "hoek:22:22" as an address: expected "host:port", "[IPv6]:port" or "unix:/path"',
  );
  assertEquals(
    text("x", '{"address": 3}'),
    "Cannot use 3 as an address: expected a text",
  );
  assertEquals(
    text("x", "{"),
    'Cannot read "{" as JSON: ' +
      "Expected property name or '}' in JSON at position 1 (line 1 column 2)",
  );
});
