// A recording of the real program, replayed by the real program.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { STRATEGY_NAMES } from "../../lib/strategy/registry.ts";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer, runProgram } from "../support/balancer.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { Sessions } from "../support/sessions.ts";

const NAMES: readonly string[] = STRATEGY_NAMES;

interface Simulated {
  readonly strategy: string;
  readonly same: number;
  readonly otherByChance: number | null;
  readonly sessions: Readonly<Record<string, number>>;
}

async function simulate(file: string, ...flags: string[]): Promise<readonly Simulated[]> {
  const answer = await runProgram(["simulate", "--replay", file, "--json", ...flags]);
  assertEquals(answer.code, 0, answer.stderr);
  return JSON.parse(answer.stdout).pools[0].replayed;
}

const CASES: readonly (readonly [engine: string, strategy: string, keys: string])[] = [
  ["splice", "least_load", "pace: { sessions: 4, within: 2s }"],
  ["splice", "round_robin", ""],
  ["splice", "two_choices", ""],
  ["splice", "random", "sticky: { by: source, ttl: 1s }"],
  ["portable", "least_connections", ""],
  ["portable", "first", "pace: { sessions: off }"],
  ["portable", "source_hash", "hash_balance: 150"],
];

for (const [engine, strategy, keys] of CASES) {
  Deno.test(`${engine}: simulate decides ${strategy}'s recorded sessions the same again`, async () => {
    await using folder = new TemporaryDirectory();
    await using a = new TcpPeer(echo);
    await using b = new TcpPeer(echo);
    await using c = new TcpPeer(echo);
    const record = `${folder.path}/record`;
    {
      await using balancer = await Balancer.start({
        flags: ["--engine", engine, "--record", record],
        config: `
frontends: { ssh: { listen: "127.0.0.1:0" } }
pools:
  compute:
    strategy: ${strategy}
    backends:
      - { address: "${a.address}", cores: 4, weight: 2 }
      - { address: "${b.address}", cores: 8, max_connections: 4 }
      - { address: "${c.address}", cores: 24, weight: 0.5 }
    load: { source: exec, interval: 500ms, exec: { command: ["/bin/sh", "-c", "echo 2", "{host}"] } }
    health: { probe: tcp, interval: 1s }
    ${keys}
`,
      });
      await balancer.until(
        "the loads",
        ({ pools }) => pools[0]?.backends.every(({ load1 }) => load1 !== null) === true,
      );
      const port = await balancer.port("ssh");
      using standing = await Sessions.open(port, 1);
      for (let i = 1; i < 50; i++) {
        const [conn] = (await Sessions.open(port, 1)).conns;
        if (conn !== undefined) standing.conns.push(conn);
        if (i >= 10) { for (const ended of standing.conns.splice(i % 7, 1)) ended.close(); }
        // A recording tells the order of what lies a millisecond apart.
        const left = standing.conns.length;
        await balancer.until("its end", ({ counters }) => counters.active === left);
      }
      await balancer.until("all to be counted", ({ counters }) => counters.opened === 50);
      balancer.signal("SIGINT");
      assertEquals(await balancer.end(), 0);
    }
    const [again] = await simulate(record, "--strategy", strategy);
    assertEquals(again?.strategy, strategy);
    const explained = (again?.same ?? 0) + (1 - (again?.same ?? 0)) * (again?.otherByChance ?? 0);
    assert((again?.same ?? 0) >= 0.9 && explained >= 0.92, JSON.stringify(again));
    const all = await simulate(record);
    assertEquals(all.map((one) => one.strategy), NAMES);
    for (const { sessions } of all) {
      assertEquals(Object.values(sessions).reduce((sum, count) => sum + count, 0), 50);
    }
    const text = await runProgram(["simulate", "--replay", record]);
    assertEquals(text.code, 0, text.stderr);
    assertStringIncludes(text.stdout, "pool compute: 50 sessions in ");
    assertStringIncludes(text.stdout, "takes its load along");
  });
}

Deno.test("simulate: a bad recording is told with its line, and ends with 2", async () => {
  await using folder = new TemporaryDirectory();
  const file = `${folder.path}/record`;
  const header = '{"kind":"recording","version":1,"program":"0","at":"","t":1}\n';
  await Deno.writeTextFile(file, `${header}{"kind":"sample","t":2}\n`);
  const bad = await runProgram(["simulate", "--replay", file]);
  assertEquals([bad.code, bad.stdout], [2, ""]);
  assertStringIncludes(bad.stderr, `${file}: line 2: Cannot use nothing as "pool" of "sample"`);
  const missing = await runProgram(["simulate", "--replay", `${file}.1`]);
  assertEquals(missing.code, 2);
  assertStringIncludes(missing.stderr, "Cannot read it: ");
  await Deno.writeTextFile(file, header);
  const empty = await runProgram(["simulate", "--replay", file]);
  assertEquals([empty.code, empty.stdout], [0, "The recording holds no pool.\n"]);
  for (const flags of [[], ["--replay", file, "--strategy", "fastest"]]) {
    assertEquals((await runProgram(["simulate", ...flags])).code, 64);
  }
});
