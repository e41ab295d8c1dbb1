import { assert, assertEquals } from "@std/assert";
import { Polling } from "../../../../lib/core/timing/polling.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

function setUp(random = () => 0.5) {
  const clock = new ManualClock(0);
  const started: { key: string; atMs: number }[] = [];
  const ended: { key: string; atMs: number; reason: string }[] = [];
  const running = new Set<string>();
  const reported: string[] = [];
  const state = { takesMs: 5, overlaps: 0 };
  const rounds = new Polling({
    clock,
    random,
    intervalMs: 10_000,
    timeoutMs: 2000,
    run: async (key, signal) => {
      if (running.has(key)) state.overlaps++;
      running.add(key);
      started.push({ key, atMs: clock.now() });
      let reason = "";
      await clock.sleep(state.takesMs, signal).catch((error: unknown) => {
        reason = error instanceof Error ? error.message : String(error);
      });
      running.delete(key);
      ended.push({ key, atMs: clock.now(), reason });
      return reason;
    },
    report: (key) => reported.push(key),
  });
  const times = (key: string) =>
    started.filter((entry) => entry.key === key).map(({ atMs }) => atMs);
  return { clock, rounds, started, ended, reported, state, times };
}

Deno.test("Polling run at once, then from start to start at the interval", async () => {
  const { clock, rounds, times } = setUp();
  await rounds.setKeys(["a"]);
  await clock.advance(35_000);
  assertEquals(times("a"), [0, 10_000, 20_000, 30_000]);
  await rounds[Symbol.asyncDispose]();
  assertEquals(clock.sleeperCount, 0);
});

Deno.test("Polling spread the interval by 10 %", async () => {
  let draw = 0;
  const { clock, rounds, times } = setUp(() => draw++ % 2 === 0 ? 0 : 0.999);
  await rounds.setKeys(["a"]);
  await clock.advance(30_000);
  assertEquals(times("a").map((atMs) => Math.round(atMs / 100)), [0, 90, 200, 290]);
  await rounds[Symbol.asyncDispose]();
});

Deno.test("Polling begin a small pool at once and spread a large one over a second", async () => {
  const small = setUp();
  await small.rounds.setKeys(["a", "b", "c"]);
  await small.clock.advance(50);
  assertEquals(small.started.map(({ atMs }) => atMs), [0, 20, 40]);
  await small.rounds[Symbol.asyncDispose]();

  const large = setUp();
  await large.rounds.setKeys(Array.from({ length: 200 }, (_, index) => `k${index}`));
  await large.clock.advance(1000);
  const times = large.started.map(({ atMs }) => atMs);
  assertEquals(times.length, 200);
  assert(new Set(times).size > 190 && Math.max(...times) > 900);
  await large.rounds[Symbol.asyncDispose]();
});

Deno.test("Polling give each run its own deadline and never run a key twice at a time", async () => {
  const { clock, rounds, ended, state } = setUp();
  state.takesMs = 1_000_000;
  await rounds.setKeys(["a", "b"]);
  await clock.advance(60_000);
  assertEquals(state.overlaps, 0);
  const ofA = ended.filter(({ key }) => key === "a");
  assertEquals(ofA.map(({ atMs }) => atMs % 10_000), Array(6).fill(2000));
  assertEquals(ofA[0]?.reason, "no answer within 2s");
  await rounds[Symbol.asyncDispose]();
});

Deno.test("Polling start and stop keys for the difference only", async () => {
  const { clock, rounds, times } = setUp();
  await rounds.setKeys(["a", "b"]);
  await clock.advance(5000);
  await rounds.setKeys(["b", "c"]);
  await clock.advance(15_100);
  assertEquals(times("a"), [0]);
  assertEquals(times("b"), [20, 10_020, 20_020]);
  assertEquals(times("c"), [5000, 15_000]);
  await rounds[Symbol.asyncDispose]();
});

Deno.test("Polling take a key back only after its last run has ended", async () => {
  const { clock, rounds, state, times, reported } = setUp();
  state.takesMs = 500;
  const first = rounds.setKeys(["a"]);
  await clock.advance(100);
  const out = rounds.setKeys([]);
  const back = rounds.setKeys(["a"]);
  await clock.advance(1000);
  await Promise.all([first, out, back]);
  assertEquals(state.overlaps, 0);
  assertEquals(times("a").length, 2);
  // The first was taken out in mid-run: what came of it is nobody's business.
  assertEquals(reported.length, 1);
  await rounds[Symbol.asyncDispose]();
});
