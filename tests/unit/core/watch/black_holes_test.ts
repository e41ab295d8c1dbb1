import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import {
  type BlackHoleRules,
  BlackHoles,
  type SessionEnd,
} from "../../../../lib/core/watch/black_holes.ts";
import { backendsNamed, runningPool, texts, usableIn } from "../../../support/pools.ts";
import { type Breakage, runSite, type Site } from "../../../support/session_mix.ts";

const RULES: BlackHoleRules = { sessions: 5, holdMs: 60_000, maxHeldShare: 0.5 };
const STILLBORN: SessionEnd = {
  by: "backend",
  durationMs: 20,
  bytesToBackend: 30,
  bytesToClient: 0,
};
const GOOD: SessionEnd = { by: "client", durationMs: 9000, bytesToBackend: 30, bytesToClient: 900 };
const DIES_YOUNG: SessionEnd = { ...STILLBORN, durationMs: 800, bytesToClient: 900 };
const MUTE: SessionEnd = { ...STILLBORN, by: "client", durationMs: 12_000 };
const SCAN: SessionEnd = { ...DIES_YOUNG, by: "client" };

/** A pool with its watch, and whole sessions in one call. */
function watched(ids: readonly string[], rules = RULES) {
  const pool = runningPool(ids);
  const watch = new BlackHoles(rules);
  let tunnel = 0;
  return {
    pool,
    watch,
    session: (id: string, client: string, end: SessionEnd, nowMs: number) => {
      watch.opened(pool, id, ++tunnel, client, nowMs);
      return watch.closed(pool, id, tunnel, end, nowMs + end.durationMs);
    },
  };
}

Deno.test("BlackHoles find a backend that ends every session without a word", () => {
  const { pool, session } = watched(["a", "b", "c"]);
  for (let i = 0; i < 4; i++) assertEquals(session("a", `u${i}`, STILLBORN, i * 1000), []);
  assertEquals(texts(session("a", "u9", STILLBORN, 9000)), [
    "a is held back: it ended its last 5 sessions within seconds, without a word; held back for 1m",
  ]);
  assertEquals(usableIn(pool), ["b", "c"]);
});

Deno.test("BlackHoles find a backend that says nothing while clients wait", () => {
  const { session } = watched(["a", "b", "c"]);
  for (let i = 0; i < 4; i++) assertEquals(session("a", `u${i}`, MUTE, i * 1000), []);
  assertStringIncludes(
    texts(session("a", "u9", MUTE, 9000))[0] ?? "",
    "it said nothing to its last 5",
  );
});

Deno.test("BlackHoles find a backend that throws out people who get in elsewhere", () => {
  const { pool, watch, session } = watched(["a", "b", "c"]);
  // Three minutes: whoever stays so long has logged in.
  for (let i = 0; i < 20; i++) watch.opened(pool, "bc"[i % 2] ?? "", -i, `u${i}`, 0);
  watch.tick(pool, 180_000);
  for (let i = 0; i < 60; i++) session("bc"[i % 2] ?? "", `u${i % 20}`, GOOD, 200_000 + i);
  let told: string[] = [];
  for (let i = 0; i < 8 && told.length === 0; i++) {
    told = texts(session("a", `u${i}`, DIES_YOUNG, 1_000_000 + i * 10_000));
  }
  assertStringIncludes(
    told[0] ?? "",
    "a is held back: it ended its last 5 sessions within seconds;",
  );
  assertEquals(usableIn(pool), ["b", "c"]);
});

Deno.test("BlackHoles take guessed passwords and scanners for what they are", () => {
  const { pool, session } = watched(["a", "b"]);
  for (let i = 0; i < 100; i++) session("b", `u${i}`, GOOD, i * 1000);
  for (let i = 0; i < 500; i++) {
    assertEquals(session("a", `bot${i}`, DIES_YOUNG, 100_000 + i * 1000), []);
    assertEquals(session("a", `scan${i}`, SCAN, 100_000 + i * 1000), []);
    assertEquals(session("a", "forgetful", DIES_YOUNG, 100_000 + i * 1000), []);
  }
  assertEquals(usableIn(pool), ["a", "b"]);
});

Deno.test("BlackHoles are not misled by what is usual in the whole pool", () => {
  // Clients that push and are hung up on without a word: wherever they go.
  const { pool, watch, session } = watched(["a", "b", "c"]);
  let nowMs = 0;
  for (let i = 0; i < 3000; i++) {
    nowMs += 1000;
    watch.tick(pool, nowMs);
    const usable = usableIn(pool);
    session(usable[i % usable.length] ?? "", `u${i % 50}`, STILLBORN, nowMs);
  }
  assertEquals(usableIn(pool), ["a", "b", "c"]);
});

Deno.test("BlackHoles let one session at a time try, and hold longer each time it is lost", () => {
  const { pool, watch, session } = watched(["a", "b", "c"]);
  let nowMs = 0;
  for (let i = 0; i < 5; i++) session("a", `u${i}`, STILLBORN, nowMs);
  const ejections: number[] = [];
  for (let trial = 0; trial < 9; trial++) {
    const untilMs = watch.untilMs("a") ?? NaN;
    ejections.push(Math.round((untilMs - nowMs) / 60_000));
    watch.tick(pool, untilMs - 1);
    assertEquals(usableIn(pool), ["b", "c"]);
    watch.tick(pool, untilMs);
    assertEquals(usableIn(pool), ["a", "b", "c"]);
    // Whoever comes next is the trial; nobody else is sent there meanwhile.
    watch.opened(pool, "a", 1000 + trial, "u1", untilMs);
    assertEquals(usableIn(pool), ["b", "c"]);
    nowMs = untilMs + 20;
    const told = texts(watch.closed(pool, "a", 1000 + trial, STILLBORN, nowMs));
    assertStringIncludes(told[0] ?? "", "a is held back: it ended its last");
  }
  assertEquals(ejections, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
  const untilMs = watch.untilMs("a") ?? NaN;
  watch.tick(pool, untilMs);
  // A trial that the client breaks off decides nothing.
  session("a", "u1", SCAN, untilMs);
  assertEquals(usableIn(pool), ["a", "b", "c"]);
  assertEquals(texts(session("a", "u1", GOOD, untilMs + 1000)), [
    "a is no longer held back: a session lives there",
  ]);
  // Acquitted: it takes a whole new run.
  for (let i = 0; i < 4; i++) assertEquals(session("a", `u${i}`, STILLBORN, untilMs + 20_000), []);
});

Deno.test("BlackHoles acquit at a session that stands for a minute, but not at one from before", () => {
  const { pool, watch, session } = watched(["a", "b"]);
  watch.opened(pool, "a", -1, "u", 0);
  for (let i = 0; i < 5; i++) session("a", `u${i}`, STILLBORN, 10 + i);
  // The old one is out of its youth by now, and speaks for the backend as it was.
  watch.tick(pool, 60_000);
  assertEquals(usableIn(pool), ["b"]);
  watch.tick(pool, 61_000);
  assertEquals(usableIn(pool), ["a", "b"]);
  watch.opened(pool, "a", -2, "u", 62_000);
  assertEquals(usableIn(pool), ["b"]);
  assertEquals(texts(watch.tick(pool, 122_000)), [
    "a is no longer held back: a session lives there",
  ]);
});

Deno.test("BlackHoles find mute backends whose sessions stand until somebody gives up", () => {
  const { pool, watch, session } = watched(["a", "b"]);
  // Half-closed by its client, it goes on for as long as the backend lets it.
  for (let i = 0; i < 20; i++) watch.opened(pool, "a", -i, `stuck${i}`, i * 1000);
  for (let i = 0; i < 4; i++) assertEquals(session("a", `u${i}`, MUTE, 30_000 + i), []);
  assertEquals(watch.tick(pool, 120_000), []);
  const told = texts(watch.closed(pool, "a", 0, { ...MUTE, durationMs: 130_000 }, 130_000));
  assertStringIncludes(told[0] ?? "", "it said nothing to its last 5 sessions");
});

Deno.test("BlackHoles wait with their verdict while sessions of the run's time stand", () => {
  const { pool, watch, session } = watched(["a", "b"]);
  session("a", "u0", STILLBORN, 0);
  watch.opened(pool, "a", -1, "u", 100);
  for (let i = 1; i < 9; i++) assertEquals(session("a", `u${i}`, STILLBORN, 6000 + i), []);
  // It ends without a verdict of its own: now nothing speaks for the backend.
  watch.closed(pool, "a", -1, { ...GOOD, by: "neither", bytesToClient: 0 }, 20_000);
  assertStringIncludes(texts(watch.tick(pool, 20_001))[0] ?? "", "a is held back");
});

Deno.test("BlackHoles forget who has left, and let everybody go when switched off", () => {
  const { pool, watch, session } = watched(["a", "b", "c"]);
  const lose = (id: string, nowMs: number) => {
    for (let i = 0; i < 5; i++) session(id, `u${i}`, STILLBORN, nowMs);
  };
  lose("a", 0);
  pool.setBackends(backendsNamed(["b", "c"]), 10);
  watch.forget(pool, "a");
  pool.setBackends(backendsNamed(["a", "b", "c"]), 20);
  assertEquals(usableIn(pool), ["a", "b", "c"]);
  lose("a", 100_000);
  // Its second strike would last two minutes.
  assertEquals(watch.untilMs("a"), 100_020 + 60_000);
  watch.setRules(pool, { ...RULES, sessions: 7 });
  assertEquals(usableIn(pool), ["b", "c"]);
  watch.setRules(pool, { ...RULES, sessions: 0 });
  assertEquals(usableIn(pool), ["a", "b", "c"]);
  lose("a", 200_000);
  assertEquals(usableIn(pool), ["a", "b", "c"]);
});

Deno.test("BlackHoles leave somebody usable and keep to the cap, whatever sessions do", () => {
  const ids = ["a", "b", "c", "d"];
  const ends = [STILLBORN, STILLBORN, MUTE, DIES_YOUNG, GOOD, SCAN];
  const step = fc.record({
    id: fc.constantFrom(...ids),
    client: fc.nat(5),
    end: fc.constantFrom(...ends),
    times: fc.integer({ min: 1, max: 8 }),
    passedMs: fc.nat(90_000),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const { pool, watch, session } = watched(ids);
    let nowMs = 0;
    for (const { id, client, end, times, passedMs } of steps) {
      nowMs += passedMs;
      watch.tick(pool, nowMs);
      for (let i = 0; i < times; i++) session(id, `u${client + i}`, end, nowMs);
      assert(usableIn(pool).length >= 2);
      for (const { backend, holds } of pool.members) {
        const isHeld = watch.untilMs(backend.id) !== undefined;
        assert(!isHeld || holds.has("black_hole"));
      }
    }
    nowMs += 64 * RULES.holdMs;
    watch.tick(pool, nowMs + 60_001);
    watch.tick(pool, nowMs + 120_002);
    assertEquals(usableIn(pool), ids);
  }));
});

const CAMPUS: Site = {
  backends: 6,
  usersPerHour: 20,
  natShare: 0.3,
  failedShare: 0.03,
  commandShare: 0.3,
  burstsPerHour: 0,
  guesses: 0,
  botnet: false,
  scansPerHour: 0,
  herding: 0.8,
};
const SITES: Readonly<Record<string, Site>> = {
  campus: CAMPUS,
  small: { ...CAMPUS, backends: 3, usersPerHour: 5 },
  "everybody behind one address": { ...CAMPUS, natShare: 1, failedShare: 0.1 },
  "guessed at": { ...CAMPUS, burstsPerHour: 6, guesses: 30, scansPerHour: 20 },
  "under botnets": { ...CAMPUS, burstsPerHour: 3, guesses: 100, botnet: true, scansPerHour: 20 },
  "seldom under botnets": { ...CAMPUS, burstsPerHour: 0.02, guesses: 60, botnet: true },
  "herding under botnets": {
    ...CAMPUS,
    burstsPerHour: 1,
    guesses: 60,
    botnet: true,
    herding: 1,
  },
};

for (const [name, site] of Object.entries(SITES)) {
  Deno.test(`BlackHoles hold nobody back without cause: ${name}, 600 hours`, () => {
    const seed = 42;
    assertEquals(runSite(site, 600, seed).falseHolds, 0, `seed ${seed}`);
  });
}

Deno.test("BlackHoles find what is broken within few sessions, and lose few to trials", () => {
  const cases: readonly (readonly [string, Breakage, number])[] = [
    ["campus", "stillborn", 5],
    ["campus", "mute", 6],
    ["campus", "dies_young", 40],
    ["small", "stillborn", 5],
    ["everybody behind one address", "stillborn", 5],
    ["guessed at", "mute", 6],
    ["under botnets", "dies_young", 60],
  ];
  for (const [name, breakage, most] of cases) {
    for (let seed = 1; seed <= 5; seed++) {
      const site = SITES[name] ?? CAMPUS;
      const { lostBefore, lostAfter } = runSite(site, 72, seed, breakage, 48);
      const what = `${name}, ${breakage}, seed ${seed}: ${lostBefore} and ${lostAfter} lost`;
      assert(lostBefore <= most && lostAfter <= 100, what);
    }
  }
});
