// Who is told why they are refused, and what.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { refusalTextOf } from "../../../lib/app/refusal_text.ts";
import { readConfig } from "../../../lib/config/read_config.ts";
import type { RefusalReason } from "../../../lib/engine/engine.ts";

/** What the clients of the frontend `f` are told for a reason; the other pool is named by a location. */
function told(
  frontend: string,
  pool: string,
  other = "backends: [o:22]",
  reason: RefusalReason = "no_backend",
): string | undefined {
  const text = `
    frontends:
      f:
        pool: p
        location: [{ networks: [192.0.2.0/24], pool: o }]
        ${frontend}
    pools:
      p: { ${pool} }
      o: { ${other} }
  `;
  const read = readConfig({ file: { path: "lb.conf", text } });
  assert(read.ok, read.ok ? "" : read.errors[0]?.message);
  const [first] = read.config.frontends;
  assert(first !== undefined);
  const bytes = refusalTextOf(first, read.config.pools)?.get(reason);
  return bytes && new TextDecoder().decode(bytes);
}

Deno.test("auto tells ssh clients, by what the configuration shows, and nobody else", () => {
  const why = "no compute server can take you now: try again in a minute, or tell your " +
    "administrator (compute-lb: no_backend)";
  const ssh = [
    ['listen: ":22"', "backends: [a:2222]"],
    ['listen: ":2222"', "backends: [a:22, b:22]"],
    ['listen: ":2222"', "backends: [a:22, b:22], health: { probe: tcp }"],
    ['listen: ":2222"', "backends: [a:2200], health: { probe: banner, expect: SSH-2.0-Open }"],
    ['listen: ":22"', 'feed: ["tcp://gen:1024"], health: { probe: none }'],
  ] as const;
  for (const [frontend, pool] of ssh) {
    const text = told(frontend, pool) ?? "";
    assert(text.startsWith("SSH-2.0-compute_lb\r\n"), `${frontend} ${pool}: ${text}`);
    assertStringIncludes(text, why);
  }
  const others = [
    ['listen: ":2222"', "backends: [a:8080]"],
    ['listen: ":8080"', 'feed: ["tcp://gen:1024"], health: { probe: none }'],
    ['listen: ":2222"', "backends: [a:22, b:8080], health: { probe: tcp }"],
    [
      'listen: ":2222"',
      'backends: ["unix:/run/a.sock"], load: { source: none }, health: { probe: none }',
    ],
    ['listen: ":22"', "backends: [a:22], health: { probe: banner, expect: HELLO }"],
  ] as const;
  for (const [frontend, pool] of others) assertEquals(told(frontend, pool), undefined, pool);
  // Of one frontend, all pools.
  assertEquals(told('listen: ":2222"', "backends: [a:22]", "backends: [o:80]"), undefined);
});

Deno.test("a text of one's own is a disconnect's for ssh and a line for others; off says nothing", () => {
  const own = 'refusal_text: "see https://status.example.org"';
  const ssh = told(`listen: ":22"\n        ${own}`, "backends: [a:22]") ?? "";
  assert(ssh.startsWith("SSH-2.0-compute_lb\r\n"));
  assertStringIncludes(ssh, "\0\x1esee https://status.example.org\0\0\0\0");
  assertEquals(
    told(`listen: ":80"\n        ${own}`, "backends: [a:80]"),
    "see https://status.example.org\r\n",
  );
  assertEquals(told('listen: ":22"\n        refusal_text: off', "backends: [a:22]"), undefined);
});

Deno.test("too many are told so by a code of their own, and a shortage of ours says nothing", () => {
  const full = told('listen: ":22"', "backends: [a:22]", undefined, "frontend_full") ?? "";
  assertStringIncludes(full, "\x01\0\0\0\x0c\0\0\0");
  assertStringIncludes(full, "(compute-lb: frontend_full)");
  const failed = told('listen: ":22"', "backends: [a:22]", undefined, "connect_failed") ?? "";
  assertStringIncludes(failed, "\x01\0\0\0\x0b\0\0\0");
  const short = told('listen: ":22"', "backends: [a:22]", undefined, "out_of_descriptors");
  assertEquals(short, undefined);
});
