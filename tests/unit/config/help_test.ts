import { assert, assertEquals } from "@std/assert";
import { configKeys, helpConfig } from "../../../lib/config/help.ts";

Deno.test("helpConfig() says what a key is, what it accepts and its default", () => {
  const text = [
    "pools.NAME.sticky.ttl",
    "  For how long, from the end of its last session on.",
    "  Accepts: 1s to 366d",
    "  Default: 12h",
    "",
  ].join("\n");
  for (const path of ["pools.NAME.sticky.ttl", "pools.compute.sticky.ttl", "sticky.ttl", "ttl"]) {
    assertEquals([path, helpConfig(path)], [path, text]);
  }
});

Deno.test("helpConfig() of a section names its keys", () => {
  assert(/^pools\.NAME\.sticky\n.*\n\n? *Keys: by, ttl\n/.test(helpConfig("sticky")));
  assert(/ Keys: strategy, fallback, .*\bbackends\b/s.test(helpConfig("pools")));
});

Deno.test("helpConfig() of a path that may mean several says all of them", () => {
  const ofSources = (path: string) => path.startsWith("pools.NAME.discovery.");
  assertEquals(configKeys("interval").filter((path) => !ofSources(path)), [
    "engine.keepalive.interval",
    "pools.NAME.load.interval",
    "pools.NAME.health.interval",
  ]);
  assertEquals(configKeys("load.interval"), ["pools.NAME.load.interval"]);
  // A whole path means no key that ends in the same way.
  assertEquals(configKeys("user"), ["user"]);
  assertEquals(configKeys("pools.compute.backends[2].cores"), ["pools.NAME.backends.cores"]);
  for (const path of configKeys("interval")) assert(helpConfig("interval").includes(`${path}\n`));
});

Deno.test("helpConfig() guesses what an unknown key means", () => {
  assertEquals(
    helpConfig("sticky.tll"),
    'Unknown key "sticky.tll": did you mean "pools.NAME.sticky.ttl"?\n',
  );
  assertEquals(configKeys("sticky.tll"), []);
});

Deno.test("helpConfig() says something of every key, on lines that terminals have room for", () => {
  const all = helpConfig();
  for (const entry of all.split("\n\n")) {
    const [path = "", ...lines] = entry.trimEnd().split("\n");
    assert(/^[a-zNAME_][a-zNAME_0-9.]*$/.test(path), path);
    assert(lines.length > 0, path);
  }
  assertEquals(all.split("\n").filter((line) => line.length > 80), []);
  assert(all.includes("pools.NAME.load.http.fields.load1\n"));
});
