import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { measureRecorded } from "../../../lib/record/replay/course.ts";
import { compareStrategies } from "../../../lib/record/replay/compare.ts";
import { learnLoad } from "../../../lib/record/replay/outside_load.ts";
import { readRecording, type RecordedPool } from "../../../lib/record/replay/recording.ts";
import { agree, replay } from "../../../lib/record/replay/replay.ts";
import { STRATEGY_NAMES, type StrategyName } from "../../../lib/strategy/registry.ts";
import { TemporaryDirectory } from "../../support/run_program.ts";
import { recordSite, type SiteOptions } from "../../support/recorded_site.ts";

async function poolOf(text: string): Promise<RecordedPool> {
  const read = await readRecording(ReadableStream.from([text.slice(0, 99), text.slice(99)]));
  if (!read.ok) throw new Error(read.message);
  const [pool] = read.value;
  assert(pool !== undefined);
  return pool;
}

const SITE = {
  cores: [4, 8, 8, 16, 24],
  seconds: 700,
  perMinute: 10,
  meanSeconds: 300,
  seed: 7,
};

/** A site on which everything that decides happens. */
const BUSY_SITE: Omit<SiteOptions, "strategy"> = {
  ...SITE,
  seconds: 320,
  perMinute: 35,
  meanSeconds: 120,
  clients: 60,
  weights: [1, 2, 0.5, 1, 3],
  keys: "memory: { weight: 1 }\n    pressure: { correct_load: true }\n    " +
    // Nobody waits there.
    "pace: { sessions: 3, within: 20s }\n    queue: { timeout: off }\n    hash_balance: 150",
  tells: (backend, second) => ({
    memoryTotalBytes: 1e9,
    memoryAvailableBytes: 1e8 * (1 + (backend * 7 + Math.floor(second / 50)) % 9),
    cpuPressure: backend === 0 ? 0.01 : 0.2,
    ...(backend === 3 ? { instant: true } : {}),
    ...(backend === 4 ? { sessionCost: 0.1 } : {}),
  }),
  advises: (backend, second) => {
    if (backend === 1) {
      return { share: second % 100 < 50 ? 0.3 : 1, maxConnections: second < 200 ? 4 : 0 };
    }
    if (backend === 2 && second > 120) return { admin: second < 180 ? "drain" : "ready" };
    return undefined;
  },
  burst: { second: 200, sessions: 25 },
  reloadAt: { second: 250, backends: [4, 0, 2, 3] },
};

/** Keys of which early recordings know nothing. */
const LATER_KEYS = new Set([
  "usable",
  "weight",
  "load_weight",
  "doubted",
  "instant",
  "cpu_pressure",
  "session_cost",
  "memory",
  "hash_balance",
  "sticky",
  "pace",
  "memory_weight",
]);

/** The recording as an early program would have written it. */
function withoutLaterKeys(text: string): string {
  const early = (_: string, value: unknown) =>
    typeof value !== "object" || value === null || Array.isArray(value)
      ? value
      : Object.fromEntries(Object.entries(value).filter(([key]) => !LATER_KEYS.has(key)));
  return text.split("\n").map((line) => line && JSON.stringify(JSON.parse(line), early)).join("\n");
}

function share(pool: RecordedPool, strategy: StrategyName): number {
  return agree(pool, learnLoad(pool), strategy).same / pool.sessions;
}

for (const strategy of STRATEGY_NAMES) {
  Deno.test(`a replay by ${strategy} finds the recorded backends by all that had decided`, async () => {
    await using folder = new TemporaryDirectory();
    const path = `${folder.path}/record`;
    await recordSite(path, { ...BUSY_SITE, strategy });
    const text = await Deno.readTextFile(path);
    const pool = await poolOf(text);
    assert(pool.sessions > 150, `${pool.sessions} sessions`);
    assert(share(pool, strategy) >= 0.95, `${share(pool, strategy)}`);
    // Without what early recordings do not tell, it would not.
    const early = await poolOf(withoutLaterKeys(text));
    assert(share(early, strategy) < share(pool, strategy) - 0.03, `${share(early, strategy)}`);

    // Left to itself, one near-equal that falls otherwise changes all that follow, but not how good it is.
    const learnt = learnLoad(pool);
    const recorded = measureRecorded(pool, learnt);
    const { measures, turnedAway } = replay(pool, learnt, strategy);
    assertAlmostEquals(measures.freeMean, recorded.freeMean, 0.7);
    assertEquals(turnedAway, 0);
    assertEquals(sumOf(measures.sessions), pool.sessions);
  });
}

function sumOf(sessions: ReadonlyMap<string, number>): number {
  return sessions.values().reduce((sum, count) => sum + count, 0);
}

Deno.test("with other draws, what differs is what chance has decided", async () => {
  await using folder = new TemporaryDirectory();
  for (const strategy of ["least_load", "random", "two_choices"] as const) {
    const path = `${folder.path}/${strategy}`;
    await recordSite(path, { ...SITE, strategy, seconds: 400, perMinute: 20 });
    const text = await Deno.readTextFile(path);
    const other = await poolOf(text.replace(/"draw":[\d.e-]+/g, '"draw":0.5'));
    const { same, otherByChance } = agree(other, learnLoad(other), strategy);
    assert(same < other.sessions, strategy);
    assert((same + otherByChance) / other.sessions >= 0.97, strategy);
  }
});

Deno.test("clients who stick are where they were, those of before the recording as well", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/record`;
  const to = `${path}.1`;
  await recordSite(path, {
    ...SITE,
    strategy: "random",
    seconds: 500,
    perMinute: 40,
    meanSeconds: 40,
    clients: 20,
    keys: "sticky: { by: source, ttl: 20s }",
    rotateAt: { second: 250, to },
  });
  for (const file of [to, path]) {
    const text = await Deno.readTextFile(file);
    const stuck = text.split('"sticky":true').length - 1;
    const pool = await poolOf(text);
    assert(stuck > 50 && stuck < pool.sessions - 10, `${stuck} of ${pool.sessions} stuck`);
    // Other draws move only those who did not stick.
    const redrawn = await poolOf(text.replace(/"draw":[\d.e-]+/g, '"draw":0.5'));
    assert(share(pool, "random") >= 0.95);
    assert(share(redrawn, "random") >= 0.9 * stuck / pool.sessions);
    // Whatever the strategy, they stick.
    const early = await poolOf(withoutLaterKeys(text));
    assert(share(redrawn, "round_robin") > share(early, "round_robin") + 0.2);
  }
});

Deno.test("the fallback decides where it had decided, by its own name", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/record`;
  await recordSite(path, {
    ...SITE,
    strategy: "least_load",
    seconds: 300,
    perMinute: 30,
    silentFrom: 60,
    keys: "fallback: least_connections",
  });
  const text = await Deno.readTextFile(path);
  assert(text.split('"strategy":"least_connections"').length > 30);
  assert(share(await poolOf(text), "least_load") >= 0.95);
  const other = text.replaceAll('"fallback":"least_connections"', '"fallback":"random"');
  assert(share(await poolOf(other), "least_load") < 0.8);
});

Deno.test("a rotated recording is replayed with what stood before it", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/record`;
  const to = `${path}.1`;
  await recordSite(path, {
    ...SITE,
    strategy: "least_connections",
    rotateAt: { second: 350, to },
  });
  const second = await poolOf(await Deno.readTextFile(path));
  const both = await poolOf(await Deno.readTextFile(to) + await Deno.readTextFile(path));
  for (const pool of [second, both]) {
    const { same } = agree(pool, learnLoad(pool), "least_connections");
    assert(same / pool.sessions >= 0.95, `${same} of ${pool.sessions}`);
  }
});

/** A recording by hand: lines without their common parts. */
function recording(...lines: readonly Record<string, unknown>[]): string {
  const header = { kind: "recording", version: 1, program: "x", at: "x", t: 0 };
  return [header, ...lines].map((line) => JSON.stringify({ pool: "p", ...line }) + "\n").join("");
}

function backend(name: string, row: number, cores: number) {
  return { backend: name, state: "ready", cores, max: 0, row, active: 0 };
}

const POOL = {
  kind: "pool",
  t: 1000,
  strategy: "least_load",
  fallback: "round_robin",
  interval: 10_000,
  max_age: 60_000,
};

function opened(t: number, tunnel: number, to: string, failed?: string) {
  const pick = (name: string, failure: string | null) => ({
    t,
    strategy: "x",
    why: "turn",
    backend: name,
    failure,
    backends: [],
    omitted: 0,
    nearlyEqual: 0,
    draw: 0.1,
  });
  const picks = [...(failed === undefined ? [] : [pick(failed, "refused")]), pick(to, null)];
  return { kind: "opened", t, tunnel, frontend: "f", client: "c", backend: to, picks };
}

function closed(t: number, tunnel: number, from: string) {
  return { kind: "closed", t, tunnel, backend: from, sent: 0, received: 0 };
}

Deno.test("a session that lands elsewhere takes its load along", async () => {
  // All 12 went to a, which is half as large; nobody else was there.
  const sample = (t: number, name: string, load1: number) => (
    { kind: "sample", t, backend: name, load1, taken: t }
  );
  const lines: Record<string, unknown>[] = [
    { ...POOL, strategy: "random", backends: [backend("a", 0, 8), backend("b", 1, 12)] },
  ];
  let load1 = 0;
  let held = 0;
  for (let step = 0; step < 360; step++) {
    const t = 2000 + step * 10_000;
    load1 = load1 * Math.exp(-1 / 6) + held * (1 - Math.exp(-1 / 6));
    lines.push(sample(t, "a", load1), sample(t, "b", 0));
    if (step % 5 === 1 && held < 12) lines.push(opened(t + 1, ++held, "a"));
  }
  const pool = await poolOf(recording(...lines));
  const learnt = learnLoad(pool);
  assert(learnt.sessionCost > 0.6 && learnt.sessionCost <= 1, `${learnt.sessionCost}`);
  const recorded = measureRecorded(pool, learnt);
  const { measures } = replay(pool, learnt, "least_load");
  assertEquals(recorded.sessions.get("a"), 12);
  const [onA = 0, onB = 0] = [measures.sessions.get("a"), measures.sessions.get("b")];
  // What is free on both is levelled out: four more cores on b first.
  assertEquals(onA + onB, 12);
  assert(onB > 6 && onA >= 1, `${onA} on a, ${onB} on b`);
  assert(recorded.avoidableOverload > 0.5, `${recorded.avoidableOverload}`);
  assertEquals(measures.avoidableOverload, 0);
  assert(measures.freeMean > recorded.freeMean + 3);
});

Deno.test("backends that did not take the connection then do not take it now", async () => {
  const text = recording(
    { ...POOL, strategy: "round_robin", backends: ["a", "b", "c"].map((n, i) => backend(n, i, 4)) },
    opened(2000, 1, "b", "a"),
    opened(3000, 2, "c"),
    { kind: "backend", t: 3500, backend: "a", state: "down", cores: 4, max: 0 },
    closed(4000, 1, "b"),
    opened(5000, 3, "b"),
    { ...POOL, t: 5500, strategy: "round_robin", backends: [backend("c", 2, 4)] },
    opened(6000, 4, "c"),
  );
  const pool = await poolOf(text + '{"kind":"clo');
  const learnt = learnLoad(pool);
  assertEquals(replay(pool, learnt, "round_robin").turnedAway, 0);
  assertEquals(agree(pool, learnt, "round_robin").same, 4);
  const report = compareStrategies("f", [pool], ["least_load", "least_connections"]);
  assertEquals(report.pools[0]?.replayed.map(({ turnedAway }) => turnedAway), [0, 0]);
  assertEquals(report.pools[0]?.recorded.strategies, ["round_robin"]);
});

Deno.test("a limit that was kept then is kept now", async () => {
  const limited = { ...backend("a", 0, 4), max: 1, active: 1 };
  const text = recording(
    { ...POOL, backends: [limited] },
    closed(2000, 99, "a"),
    opened(3000, 1, "a"),
    opened(3500, 2, "a"),
  );
  const pool = await poolOf(text);
  const learnt = learnLoad(pool);
  assertEquals(replay(pool, learnt, "random").turnedAway, 1);
  assertEquals(agree(pool, learnt, "random").same, 1);
});

Deno.test("a recording that cannot be replayed is told with the number of its line", async () => {
  const cases: [string, string][] = [
    ["", "line 1: Cannot replay an empty recording"],
    ["x\n", "line 1: Cannot read it as JSON"],
    [recording() + "\n", "line 2: Cannot read it as JSON"],
    [recording(closed(1, 1, "a")), 'line 2: Cannot use a line of kind "closed" before its pool'],
    [recording().replace('"version":1', '"version":9'), 'line 1: Cannot use 9 as "version"'],
    [JSON.stringify({ ...POOL, pool: "p", backends: [] }) + "\n", "line 1: Cannot begin with"],
  ];
  for (const [text, expected] of cases) {
    const read = await readRecording(ReadableStream.from([text]));
    assert(!read.ok && read.message.startsWith(expected), JSON.stringify(read));
  }
});

Deno.test("clients are known again by their addresses, and pacing is kept", async () => {
  const at = (t: number, tunnel: number, to: string, host: number) => ({
    ...opened(t, tunnel, to),
    client: `192.0.2.${host}:1000`,
  });
  const backends = ["a", "b", "c", "d"].map((name, row) => backend(name, row, 8));
  const rules = { hash_balance: 0, sticky: 60_000, pace: { sessions: 0, within: 10_000 } };
  // The first of each client by turns, the second where the first was.
  const sticky = await poolOf(recording(
    { ...POOL, strategy: "round_robin", ...rules, backends },
    ...["a", "b", "c", "d"].map((name, index) => at(2000 + index, index, name, index)),
    ...["d", "b", "c", "a"].map((name, index) =>
      at(3000 + index, 10 + index, name, { d: 3, b: 1, c: 2, a: 0 }[name] ?? 0)
    ),
  ));
  assertEquals(agree(sticky, learnLoad(sticky), "round_robin").same, 8);

  // By their hash, clients are spread, and each is in one place.
  const hosts = Array.from({ length: 40 }, (_, host) => host);
  const hashed = await poolOf(recording(
    { ...POOL, strategy: "source_hash", ...rules, sticky: 0, backends },
    ...hosts.map((host) => at(2000 + host, host, "a", host)),
    ...hosts.map((host) => at(3000 + host, 100 + host, "a", host)),
  ));
  const { sessions } = replay(hashed, learnLoad(hashed), "source_hash").measures;
  assert([...sessions.values()].every((count) => count > 2 && count % 2 === 0), `${[...sessions]}`);

  // Two at most within ten seconds, then others first.
  const paced = await poolOf(recording(
    {
      ...POOL,
      strategy: "first",
      ...rules,
      sticky: 0,
      pace: { sessions: 2, within: 10_000 },
      backends: backends.map((one) => ({ ...one, load1: 0, taken: 900 })),
    },
    ...["a", "a", "b", "b", "c"].map((name, index) => at(2000 + index, index, name, index)),
  ));
  assertEquals(agree(paced, learnLoad(paced), "first").same, 5);

  // A class that waited for the server that is free: nobody went elsewhere, as without a queue.
  const loaded = (name: string, row: number, cores: number, load1: number) => ({
    ...backend(name, row, cores),
    load1,
    taken: 900,
  });
  const waiting = async (queue: number) => {
    const pool = await poolOf(recording(
      {
        ...POOL,
        strategy: "least_load",
        ...rules,
        sticky: 0,
        pace: { sessions: 4, within: 1000 },
        queue,
        backends: [loaded("a", 0, 64, 0), loaded("b", 1, 8, 7.5)],
      },
      ...Array.from({ length: 7 }, (_, index) => at(2000 + index, index, "a", index)),
    ));
    return agree(pool, learnLoad(pool), "least_load").same;
  };
  assertEquals([await waiting(3000), await waiting(0)], [7, 4]);
});
