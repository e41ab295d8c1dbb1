// The arguments of `proxy`, in lbtk's two forms, and the configuration that they stand for.

import { assert, assertEquals } from "@std/assert";
import { parseCommand } from "../../../lib/cli/arguments.ts";
import { asCalled } from "../../../lib/cli/called_as.ts";
import { COMMANDS } from "../../../lib/cli/commands.ts";
import { readConfig } from "../../../lib/config/read_config.ts";
import { formatAddress } from "../../../lib/core/values/address.ts";
import { formatEndpoint } from "../../../lib/sp/endpoint.ts";

/** Fronts with their feeds, those behind "/" being secondary; or what is wrong. */
function read(line: string, name?: string): readonly string[] | string {
  const parsed = parseCommand(asCalled(name, line.split(" ")), COMMANDS);
  if (!parsed.ok) return parsed.message.split("\n")[0] ?? "";
  const { options } = parsed.task;
  assert("text" in options && typeof options.text === "string");
  const config = readConfig({ file: { path: "p", text: options.text } });
  if (!config.ok) return config.errors[0]?.message ?? "";
  return config.config.frontends.map(({ listen, pool: name }) => {
    const pool = config.config.pools.find((one) => one.name === name);
    assert(pool !== undefined);
    assertEquals([pool.health.probe, pool.load.source], ["none", "none"]);
    const [primary, secondary] = [pool.feed.primary, pool.feed.secondary]
      .map((feeds) => feeds.map(formatEndpoint).join(" "));
    return `${listen.map(formatAddress).join(" ")}: ${primary} / ${secondary}`;
  });
}

Deno.test("proxy: one front with its feeds, or several that are written together", () => {
  assertEquals(read("proxy :22 tcp://gen1:1024 ipc:///run/gen"), [
    ":22: tcp://gen1:1024 ipc:///run/gen / ",
  ]);
  assertEquals(read("proxy :22,tcp://a:1,tcp://b:2 [::1]:80,ipc:///c --secondary tcp://d:3"), [
    ":22: tcp://a:1 tcp://b:2 / tcp://d:3",
    "[::1]:80: ipc:///c / tcp://d:3",
  ]);
  const called = read("-d -f 127.0.0.1:8080 tcp://127.0.0.1:1024", "proxy-tcp-splice");
  assertEquals(called, ["127.0.0.1:8080: tcp://127.0.0.1:1024 / "]);
});

Deno.test("proxy: what is no front or no feed is told", () => {
  const none = "No valid front found in arguments: expected FRONT FEED..., or FRONT,FEED[,FEED]...";
  for (const line of ["proxy :22", "proxy ,tcp://a:1", "proxy :22,tcp://a:1 :23"]) {
    assertEquals(read(line), none);
  }
  assertEquals(
    read("proxy :22 gen:1024"),
    'Cannot read "gen:1024" as an endpoint: expected "tcp://host:port" or "ipc:///path"',
  );
  assertEquals(
    read("proxy gen tcp://a:1"),
    'Cannot read "gen" as an address: port is missing, expected "host:port", "[IPv6]:port" or ' +
      '"unix:/path"',
  );
  assertEquals(read("proxy :22 tcp://a:1 tcp://a:1"), 'Cannot ask "tcp://a:1" twice');
  assertEquals(
    read("proxy :22,tcp://a:1 :22,tcp://a:1"),
    'Cannot listen on ":22" twice: ' +
      'frontend "front1" does already',
  );
  assert(String(read("proxy :22 tcp://a:1 --strategy random")).includes("--strategy"));
});
