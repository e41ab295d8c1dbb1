// A log becomes a pool's work: who is left out, how large the pool is, and that sessions come and work
// exactly as the jobs of the log did.

import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { BASELINES } from "../../support/simulation/baselines.ts";
import { Chance } from "../../support/chance.ts";
import { ClusterSimulation } from "../../support/simulation/cluster.ts";
import type { Log, LoggedJob } from "../../bench/placement/swf.ts";
import { serversFor, sessionsOf, traceOf, traceScenario } from "../../bench/placement/trace.ts";

function logOf(jobs: readonly LoggedJob[]): Log {
  return { jobs, without: { submitTime: 0, runTime: 0, processors: 0 } };
}

/** Four days of three users' jobs of one to sixteen processors, a few minutes each. */
const LOG: Log = (() => {
  const chance = new Chance(11);
  return logOf(
    Array.from({ length: 600 }, (_, index) => ({
      submitted: 1000 + index * 576,
      seconds: 30 + Math.floor(chance.exponential(600)),
      processors: 2 ** chance.below(5),
      user: index % 3,
    })),
  );
})();
const POOL = [2, 4, 8];

function traceWith(copies?: number) {
  const trace = traceOf(LOG, POOL, copies);
  assert(trace !== undefined);
  return trace;
}

Deno.test("jobs wider than the widest server are left out and counted", () => {
  const { jobs, tooWide } = traceWith();
  const wide = LOG.jobs.filter(({ processors }) => processors === 16).length;
  assert(wide > 0);
  assertEquals([jobs.length, tooWide], [600 - wide, wide]);
  assertEquals(traceOf(LOG, [0.5]), undefined);
});

Deno.test("sessions of one copy come and work as the jobs of the log", () => {
  const trace = traceWith(1);
  const { recorded, threads, seconds } = sessionsOf(trace, 5);
  const kept = LOG.jobs.filter(({ processors }) => processors <= 8);
  const begin = kept[0]?.submitted ?? NaN;
  assertEquals([...recorded.at], kept.map(({ submitted }) => submitted - begin));
  assertEquals([...threads], kept.map(({ processors }) => processors));
  assertEquals([...seconds], kept.map((job) => job.seconds));
  // The same user is the same client.
  const users = new Map(kept.map(({ user }, index) => [user, recorded.clients[index]]));
  assertEquals([...recorded.clients], kept.map(({ user }) => users.get(user)));
  assertEquals(new Set(recorded.clients).size, 3);
});

Deno.test("copies are the same log at other days, and other people's", () => {
  const trace = traceWith(3);
  const { recorded, threads, seconds } = sessionsOf(trace, 5);
  assertEquals(recorded.at.length, 3 * trace.jobs.length);
  assertEquals(new Set(recorded.clients).size, 9);
  assert(recorded.at.every((at) => at >= 0 && at < trace.spanSeconds));
  assertEquals([...recorded.at], [...recorded.at].sort((a, b) => a - b));
  const work = threads.reduce((sum, count, index) => sum + count * (seconds[index] ?? 0), 0);
  assertAlmostEquals(work / trace.spanSeconds, trace.meanThreads, 1e-6);
});

Deno.test("servers are those of the pool until the work is the share of them that was asked for", () => {
  for (const copies of [undefined, 1, 7]) {
    const trace = traceWith(copies);
    for (const utilisation of [0.5, 0.7, 0.85]) {
      const servers = serversFor(trace, POOL, utilisation);
      const total = servers.reduce((sum, cores) => sum + cores, 0);
      assertAlmostEquals(trace.meanThreads / total, utilisation, 0.6 / total);
      const whole = servers.filter((cores) => POOL.includes(cores)).length;
      assert(whole >= servers.length - 1, `${servers}`);
    }
  }
  const filled = serversFor(traceWith(), POOL, 0.85);
  for (const cores of POOL) assert(filled.includes(cores), `${filled}`);
});

Deno.test("a log's jobs run in the simulator as long as they did where nothing is in their way", () => {
  const trace = traceWith(1);
  const cores = [1000, 1000];
  const scenario = { ...traceScenario(trace, cores, 1), warmUpSeconds: 0, measureSeconds: 1e6 };
  const outcome = new ClusterSimulation(scenario, BASELINES.random, 1).run();
  assertEquals(outcome.jobs, trace.jobs.length);
  assertAlmostEquals(outcome.meanSlowdown, 1, 1e-9);
  const mean = trace.jobs.reduce((sum, { seconds }) => sum + seconds, 0) / trace.jobs.length;
  assertAlmostEquals(outcome.meanTime, mean, 1e-6);
});

Deno.test("a log keeps the servers made for it as busy as was asked for", () => {
  const trace = traceWith(4);
  for (const utilisation of [0.5, 0.7]) {
    const cores = serversFor(trace, POOL, utilisation);
    const outcome = new ClusterSimulation(
      traceScenario(trace, cores, 1),
      BASELINES.speed_oracle,
      1,
    ).run();
    // Threads that wait for a core count, too; and the first hours do not.
    const busy = trace.meanThreads / cores.reduce((sum, count) => sum + count, 0);
    assert(outcome.utilisation > 0.9 * busy, `${outcome.utilisation} at ${utilisation}`);
    assertEquals(outcome.refused, 0);
  }
});

Deno.test("the bench prints a trace, and says where a log is wrong", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const lines = LOG.jobs.slice(0, 60).map(({ submitted, seconds, processors, user }, index) =>
      `${index} ${submitted} -1 ${seconds} ${processors} -1 -1 -1 -1 -1 -1 ${user} -1 -1 -1 -1 -1 -1`
    );
    await Deno.writeTextFile(`${folder}/small.swf`, `; Version: 2.2\n${lines.join("\n")}\n`);
    await Deno.writeTextFile(`${folder}/bad.swf`, `; Version: 2.2\n${lines[0]} 5\n`);
    const main = new URL("../../bench/placement/main.ts", import.meta.url);
    const bench = async (...args: string[]) => {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", main.pathname, ...args],
        env: { NO_COLOR: "1" },
      }).output();
      const decoder = new TextDecoder();
      return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
    };
    const good = await bench(
      "--trace",
      `${folder}/small.swf`,
      "--replications",
      "2",
      "--hours",
      "3",
    );
    assertEquals([good.code, good.stderr], [0, ""]);
    for (const utilisation of [0.5, 0.7, 0.85]) {
      assert(good.stdout.includes(`small.swf, utilisation ${utilisation}, polls`), good.stdout);
    }
    assert(good.stdout.includes("least_load (ours)"), good.stdout);
    const bad = await bench("--trace", `${folder}/bad.swf`);
    assertEquals(bad.code, 1);
    assert(bad.stderr.startsWith(`${folder}/bad.swf:2: found 19 fields, expected`), bad.stderr);
    assertEquals((await bench("--copies", "2")).code, 64);
    assertEquals((await bench("--trace", "x", "--copies", "0")).code, 64);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
