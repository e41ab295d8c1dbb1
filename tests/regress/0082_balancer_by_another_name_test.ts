// A backend that was the balancer itself by another name than localhost (an address of an interface, a
// name that resolves to one) was given its own sessions again, until descriptors ran out.

import { assertEquals } from "@std/assert";
import { PoolController } from "../../lib/app/pool_controller.ts";
import { findLoops, frontendReached } from "../../lib/config/loops.ts";
import { readConfig } from "../../lib/config/read_config.ts";
import { type Address, formatAddress, parseBackendAddress } from "../../lib/core/values/address.ts";
import type { Result } from "../../lib/core/values/result.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { runProgram } from "../support/balancer.ts";
import { poolConfig } from "../support/pool_config.ts";

const QUIET = { error() {}, warning() {}, info() {}, debug() {} };
const OWN = new Set(["127.0.0.1", "192.0.2.1", "::1", "2001:db8::1", "fe80::1"]);

function faults(listen: string, ...backends: string[]): string[] {
  const read = readConfig({ overrides: { listen: [listen], backends, load: "none" } });
  return read.ok ? findLoops(read.config, OWN).map(({ message }) => message) : ["text"];
}

Deno.test("a literal of this machine behind a wildcard of the same port is the balancer", () => {
  assertEquals(faults(":22", "192.0.2.1:22", "192.0.2.2:22"), [
    'Cannot use "192.0.2.1:22" as a backend: frontend main itself listens there',
  ]);
  for (
    const [listen, backend] of [
      ["0.0.0.0:22", "192.0.2.1:22"],
      [":22", "[2001:DB8::0:1]:22"],
      [":22", "[fe80::1%eth0]:22"],
      [":22", "[::ffff:192.0.2.1]:22"],
      [":22", "0.0.0.0:22"],
      ["127.0.0.1:22", "0.0.0.0:22"],
      ["[::1]:22", "[::]:22"],
      ["[2001:db8:0::1]:22", "[2001:db8::1]:22"],
    ] as const
  ) assertEquals(faults(listen, backend).length, 1, `${listen} ${backend}`);
});

Deno.test("another server, port or address of this machine is not", () => {
  for (
    const [listen, backend] of [
      [":22", "192.0.2.2:22"],
      [":22", "192.0.2.1:2222"],
      ["192.0.2.1:22", "127.0.0.1:22"],
      ["127.0.0.1:2222", "127.10.0.1:2222"],
      ["0.0.0.0:22", "[2001:db8::1]:22"],
      ["192.0.2.1:22", "0.0.0.0:22"],
      ["127.0.0.1:0", "127.0.0.1:22"],
    ] as const
  ) assertEquals(faults(listen, backend), [], `${listen} ${backend}`);
});

Deno.test("only frontends that send to the pool count", () => {
  const text = `frontends:
  a: { listen: ":22", pool: p }
  b: { listen: ":23", pool: q, location: { networks: 192.0.2.0/24, pool: p } }
pools:
  p: { backends: ["h:22"], load: { source: none } }
  q: { backends: ["192.0.2.1:22"], load: { source: none } }
`;
  const read = readConfig({ file: { path: "lb.conf", text } });
  if (!read.ok) throw new Error(JSON.stringify(read.errors));
  assertEquals(findLoops(read.config, OWN), []);
  const at = (port: number): Address => ({ transport: "tcp", host: "192.0.2.1", port });
  const reached = (pool: string, port: number) =>
    frontendReached(read.config.frontends, pool, at(port), OWN);
  assertEquals([reached("p", 22), reached("p", 23), reached("q", 22)], ["a", "b", undefined]);
});

Deno.test("check and run refuse an address of this machine, and say where it stands", async () => {
  const [own] = Deno.networkInterfaces().filter(({ address, family }) =>
    family === "IPv4" && !address.startsWith("127.")
  );
  if (own === undefined) return;
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/lb.conf`;
    const backends = `  a:\n    backends:\n      - "${own.address}:2201"\n`;
    await Deno.writeTextFile(file, `frontends: { ssh: { listen: ":2201" } }\npools:\n${backends}`);
    for (const command of ["check", "run"]) {
      const { code, stderr } = await runProgram([command, "-c", file]);
      assertEquals([code, stderr.split("\n")[0]], [
        2,
        `${file}:5:9: pools.a.backends[0]: Cannot use "${own.address}:2201" as a backend: ` +
        "frontend ssh itself listens there",
      ]);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a name that resolves to the balancer is refused, and used once it does not", async () => {
  const warnings: string[] = [];
  let found = "192.0.2.1:22";
  let listen = ":22";
  const pool = poolConfig({
    backends: ["me:22"],
    load: { source: "none" },
    health: { probe: "none" },
  });
  const parsed = (text: string): Result<Address> => parseBackendAddress(text);
  await using controller = new PoolController(pool, {
    clock: SYSTEM_CLOCK,
    random: Math.random,
    log: { ...QUIET, warning: (text: string) => void warnings.push(text) },
    createLoadSource: () => undefined,
    resolve: () => {
      const address = parsed(found);
      return Promise.resolve(address.ok ? { ok: true, value: [address.value] } : address);
    },
    alreadyResolved: () => false,
    frontendReached: (address) =>
      listen === ":22" && formatAddress(address) === "192.0.2.1:22" ? "ssh" : undefined,
    publish: () => {},
    weighed: () => {},
  });
  const [member] = (await controller.prepare(), controller.pool.members);
  const reason =
    "its name resolves to 192.0.2.1:22, where frontend ssh of this balancer itself listens";
  assertEquals(warnings[0], `${pool.name}: me:22 cannot be used: ${reason}`);
  assertEquals([member?.addresses, member?.nameFailure], [[], reason]);

  found = "192.0.2.2:22";
  await controller.reconfigure(pool);
  assertEquals(member?.addresses.map(formatAddress), [found]);
  // A frontend that a reload has put where the backend is.
  found = "192.0.2.1:22";
  listen = ":23";
  if (member !== undefined) {
    controller.pool.observeName("me:22", [{ transport: "tcp", host: "192.0.2.1", port: 22 }]);
  }
  listen = ":22";
  await controller.reconfigure(pool);
  assertEquals(member?.addresses, []);
});
