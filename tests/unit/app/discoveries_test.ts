import { assert, assertEquals } from "@std/assert";
import type { PoolDiscoveryReport } from "../../../lib/admin/report.ts";
import { Discoveries } from "../../../lib/app/discoveries.ts";
import type { Config } from "../../../lib/config/config.ts";
import { readConfig } from "../../../lib/config/read_config.ts";
import type {
  DiscoveredBackend,
  DiscoveredList,
  DiscoverySource,
  ReportedBackend,
} from "../../../lib/discovery/discovery_source.ts";
import { listOf, parseEntry } from "../../../lib/discovery/entries.ts";
import { runningPool } from "../../support/pools.ts";
import { ManualClock, settled } from "../../support/manual_clock.ts";

/** Names what the test has it name. */
class Scripted implements DiscoverySource {
  watches = 0;
  isEnded = false;
  readonly reports: (readonly ReportedBackend[])[] = [];
  readonly waits: (reason: string) => void;
  #next = Promise.withResolvers<DiscoveredList>();

  constructor(waits: (reason: string) => void) {
    this.waits = waits;
  }

  names(texts: readonly string[], more: Partial<DiscoveredList> = {}): void {
    const backends: DiscoveredBackend[] = listOf(
      texts.map((text) => ({ place: "", backend: parseEntry(text) })),
    ).backends.slice();
    this.#next.resolve({ backends, skipped: [], ...more });
  }

  fails(reason: string): void {
    this.#next.reject(new Error(reason));
  }

  async *watch(signal: AbortSignal): AsyncGenerator<DiscoveredList> {
    this.watches++;
    const aborted = new Promise<never>((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason), { once: true })
    );
    while (true) {
      try {
        yield await Promise.race([this.#next.promise, aborted]);
      } finally {
        this.isEnded = signal.aborted;
        this.#next = Promise.withResolvers<DiscoveredList>();
        this.#next.promise.catch(() => {});
      }
    }
  }

  report(backends: readonly ReportedBackend[]): void {
    this.reports.push(backends);
  }
}

function configOf(pool: object): Config {
  const text = JSON.stringify({ frontends: { f: { listen: ":22" } }, pools: { p: pool } });
  const read = readConfig({ file: { path: "lb.conf", text } });
  if (!read.ok) throw new Error(read.errors[0]?.message);
  return read.config;
}

class Site implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly sources = new Map<string, Scripted>();
  readonly log: string[] = [];
  readonly taken: string[][] = [];
  readonly pool = runningPool(["a:22", "b:22"]);
  readonly lookedUp: string[][] = [];
  names = Promise.resolve();
  full: string | undefined;
  room = Infinity;
  config: Config;
  whole: Config;
  readonly discoveries: Discoveries;

  constructor(pool: object) {
    this.whole = this.config = configOf(pool);
    const note = (text: string) => {
      this.log.push(text);
    };
    this.discoveries = new Discoveries({
      clock: this.clock,
      random: () => 0.5,
      log: { debug: note, info: note, warning: note, error: note },
      createDiscoverySource: (
        { own: { backends: [name = ""] = [] } }: { own: object & { backends?: readonly string[] } },
        { waits },
      ) => {
        const source = new Scripted(waits);
        this.sources.set(name, source);
        return source;
      },
      config: () => this.config,
      inTurn: async (run) => {
        const { value, rest } = await run();
        await rest;
        return value;
      },
      find: async (pool) => {
        this.lookedUp.push(pool.backends.map(({ id }) => id));
        await this.names;
        return new Map();
      },
      whyFull: ({ backends: { length } }) =>
        length > this.room ? `${length} backends are too many` : this.full,
      take: (pool) => {
        this.taken.push(pool.backends.map(({ id }) => id));
        return Promise.resolve();
      },
      pool: () => this.pool,
    });
  }

  source(name: string): Scripted {
    const source = this.sources.get(name);
    if (source === undefined) throw new Error(`No source ${name} is watched`);
    return source;
  }

  /** Takes a configuration in, as a start or a reload does; the clock goes on for two seconds. */
  async switchTo(config: Config, meanwhile: () => void = () => {}): Promise<string[]> {
    const preparing = this.discoveries.prepare(config);
    await settled();
    meanwhile();
    await this.clock.advance(2000);
    const prepared = await preparing;
    this.whole = this.discoveries.merged(config, prepared);
    this.config = config;
    this.discoveries.take(prepared, config);
    await this.clock.advance(200);
    return this.whole.pools[0]?.backends.map(({ id }) => id) ?? [];
  }

  get report(): PoolDiscoveryReport {
    return this.discoveries.report("p");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ending = this.discoveries[Symbol.asyncDispose]();
    await this.clock.advance(5000);
    await ending;
  }
}

Deno.test("discoveries: the first lists are there when a configuration takes effect", async () => {
  await using site = new Site({ backends: ["x"], discovery: ["static:s1", "static:s2"] });
  const ids = await site.switchTo(site.config, () => {
    site.source("s2").names(["c", "B=4", "a=6"]);
    site.source("s1").names(["a", "b=2", "x=8"]);
  });
  // The file's first, then the sources' in their order; of one address, the first that says it.
  assertEquals(ids, ["x:22", "a:22", "b:22", "c:22"]);
  const cores = site.whole.pools[0]?.backends.map(({ cores }) => cores);
  assertEquals(cores, [8, 6, 2, undefined]);
  assertEquals(site.taken, []);
  site.source("s1").names(["a", "d"]);
  await site.clock.advance(200);
  assertEquals(site.taken, [["x:22", "a:22", "d:22", "c:22", "b:22"]]);
});

Deno.test("discoveries: sources that are configured alike are two, with names of their own", async () => {
  await using site = new Site({
    discovery: ["exec:/bin/a secret", "exec:/bin/a other", "static:s"],
  });
  await site.switchTo(site.config);
  const names = site.report.discovery.map(({ name }) => name);
  assertEquals(names, ["exec /bin/a", "exec /bin/a (2)", "static s"]);
});

Deno.test("discoveries: a source that is silent, or fails, hinders no start", async () => {
  await using site = new Site({ discovery: ["static:s1", "static:s2"] });
  assertEquals(await site.switchTo(site.config, () => site.source("s2").fails("nobody there")), []);
  assertEquals(site.report.discovery.map(({ backends }) => backends), [null, null]);
  assertEquals(site.report.discovery.map(({ failure }) => failure), [null, "nobody there"]);
  site.source("s1").names(["a"]);
  await site.clock.advance(200);
  assertEquals(site.taken, [["a:22"]]);
});

Deno.test("discoveries: a source without a list says what it waits for, not what failed before", async () => {
  await using site = new Site({ discovery: ["static:s1"] });
  const source = () => site.source("s1");
  await site.switchTo(site.config, () => source().fails("connection refused"));
  source().waits("has no key");
  assertEquals(site.report.discovery.map(({ failure }) => failure), ["has no key"]);
  source().names(["a"]);
  await site.clock.advance(200);
  assertEquals(site.report.discovery.map(({ failure }) => failure), [null]);
  assertEquals(site.log.filter((line) => line.includes("static s1: ")), [
    "p: static s1: connection refused; it is asked again and again",
    "p: static s1: has no key",
    "p: static s1: names 1 backend",
  ]);
});

Deno.test("discoveries: a source that fails keeps its list, is asked again ever later, and is told once", async () => {
  await using site = new Site({ discovery: ["static:s1"] });
  await site.switchTo(site.config, () => site.source("s1").names(["a", "b"]));
  const source = site.source("s1");
  const pauses: number[] = [];
  for (let time = 0; time < 9; time++) {
    source.fails("connection refused");
    await settled();
    const { watches } = source;
    const failedMs = site.clock.now();
    while (source.watches === watches) await site.clock.advance(125);
    pauses.push(site.clock.now() - failedMs);
  }
  assertEquals(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  assertEquals(site.taken, []);
  assertEquals(site.report.discovery[0]?.backends, 2);
  const told = () => site.log.filter((line) => /refused|again/.test(line));
  assertEquals(told(), ["p: static s1: connection refused; its last list stays: 2 backends"]);
  source.names(["a", "b"]);
  await settled();
  assertEquals(told().slice(1), ["p: static s1: answers again, with 2 backends"]);
  assertEquals(site.report.discovery[0]?.failure, null);
  // Asked again as early as at first; that it comes and goes within seconds is no news.
  source.fails("connection refused");
  await settled();
  const { watches } = source;
  await site.clock.advance(500);
  assertEquals(source.watches, watches + 1);
  assertEquals(told().length, 3);
  source.names(["a", "b"]);
  await settled();
  source.fails("connection refused");
  await site.clock.advance(500);
  assertEquals(told().length, 4);
});

Deno.test("discoveries: an empty list is obeyed when it is meant, or the pool says so", async () => {
  for (const onEmpty of ["keep", "clear"]) {
    const pool = { discovery: ["static:s1"], on_empty: onEmpty };
    await using site = new Site(pool);
    await site.switchTo(site.config, () => site.source("s1").names(["a"]));
    site.source("s1").names([]);
    await site.clock.advance(200);
    assertEquals(site.taken, onEmpty === "keep" ? [] : [[]]);
    assertEquals(site.report.discovery[0]?.emptySince === null, onEmpty === "clear");
    site.source("s1").names(["a", "b"]);
    await site.clock.advance(200);
    assertEquals(site.taken.at(-1), ["a:22", "b:22"]);
    assertEquals(site.report.discovery[0]?.emptySince, null);
    site.source("s1").names([], { isMeant: true });
    await site.clock.advance(200);
    assertEquals(site.taken.at(-1), []);
    // Nothing that can be used is not the same as nothing.
    site.source("s1").names(["b"]);
    await site.clock.advance(200);
    site.source("s1").names([], { skipped: ["line 1: no backend"] });
    await site.clock.advance(200);
    assertEquals(site.taken.at(-1), ["b:22"]);
    assert(site.report.discovery[0]?.failure?.includes("line 1: no backend"));
  }
});

Deno.test("discoveries: an empty list that was kept is obeyed once the pool says so", async () => {
  await using site = new Site({ discovery: ["static:s1"] });
  await site.switchTo(site.config, () => site.source("s1").names(["a"]));
  site.source("s1").names([]);
  await site.clock.advance(200);
  assertEquals(site.taken, []);
  const source = site.source("s1");
  await site.switchTo(configOf({ discovery: ["static:s1"], on_empty: "clear" }));
  assert(source === site.source("s1"));
  assertEquals(site.taken, [[]]);
});

Deno.test("discoveries: lists that do not fit leave those of before in effect, until they do", async () => {
  await using site = new Site({ discovery: ["static:s1"] });
  await site.switchTo(site.config, () => site.source("s1").names(["a"]));
  site.full = "pool p has no room";
  site.source("s1").names(["b"]);
  await site.clock.advance(5000);
  assertEquals([site.taken, site.report.discoveryHeld], [[], "pool p has no room"]);
  assertEquals(site.log.filter((line) => line.includes("no room")).length, 1);
  // A reload goes on with them, too.
  assertEquals(await site.switchTo(configOf({ backends: ["x"], discovery: ["static:s1"] })), [
    "x:22",
    "a:22",
  ]);
  site.full = undefined;
  await site.clock.advance(1000);
  assertEquals([site.taken, site.report.discoveryHeld], [[["x:22", "b:22"]], null]);
});

Deno.test("discoveries: a list that does not fit holds up no other, and empties no pool", async () => {
  await using site = new Site({ discovery: ["static:s1", "static:s2"] });
  site.room = 512;
  const many = Array.from({ length: 600 }, (_, at) => `many${at}`);
  const ids = await site.switchTo(site.config, () => {
    site.source("s1").names(many);
    site.source("s2").names(["a", "b"]);
  });
  assertEquals(ids, ["a:22", "b:22"]);
  site.source("s2").names(["b", "c"]);
  await site.clock.advance(1000);
  assertEquals(site.taken, [["b:22", "c:22"]]);
  assertEquals(site.report.discoveryHeld, "602 backends are too many");
  assertEquals(site.log.filter((line) => line.includes("too many")).length, 1);
});

Deno.test("discoveries: where nobody else is, the first of a list that does not fit serve", async () => {
  await using site = new Site({ discovery: ["static:s1"] });
  site.room = 512;
  const many = Array.from({ length: 600 }, (_, at) => `many${at}`);
  const ids = await site.switchTo(site.config, () => site.source("s1").names(many));
  assertEquals([ids.length, ids[511]], [512, "many511:22"]);
  await site.clock.advance(5000);
  assertEquals([site.taken, site.report.discoveryHeld], [[], "600 backends are too many"]);
  site.source("s1").names(["a"]);
  await site.clock.advance(1000);
  assertEquals([site.taken, site.report.discoveryHeld], [[["a:22"]], null]);
});

Deno.test("discoveries: a reload keeps the sources that are configured as before", async () => {
  await using site = new Site({ discovery: ["static:s1", "static:s2"] });
  await site.switchTo(site.config, () => {
    site.source("s1").names(["a"]);
    site.source("s2").names(["b"]);
  });
  const [one, two] = [site.source("s1"), site.source("s2")];
  const ids = await site.switchTo(
    configOf({ discovery: ["static:s3", "static:s1"] }),
    () => site.source("s3").names(["c"]),
  );
  assertEquals(ids, ["c:22", "a:22"]);
  assertEquals([one.watches, one.isEnded, two.isEnded], [1, false, true]);
  assertEquals(site.report.discovery.map(({ name }) => name), ["static s3", "static s1"]);
  // One that is given up ends what it began, and nothing else.
  const preparing = site.discoveries.prepare(configOf({ discovery: ["static:s1", "static:s4"] }));
  await site.clock.advance(2000);
  site.discoveries.giveUp(await preparing);
  await settled();
  assertEquals([one.isEnded, site.source("s4").isEnded], [false, true]);
  one.names(["a", "d"]);
  await site.clock.advance(200);
  assertEquals(site.taken.at(-1), ["c:22", "a:22", "d:22"]);
});

Deno.test("discoveries: one that takes another's place goes by its list until it has one", async () => {
  await using site = new Site({ discovery: ["static:s1", "file:/s2"] });
  await site.switchTo(site.config, () => site.source("s1").names(["a", "b"]));
  // The same one with another port in it cannot be asked, and then names nobody.
  const other = configOf({ discovery: ["static:s3"] });
  const ids = await site.switchTo(other, () => site.source("s3").fails("no answer"));
  assertEquals(ids, ["a:22", "b:22"]);
  await site.clock.advance(1000);
  site.source("s3").names([]);
  await site.clock.advance(1000);
  assertEquals([site.taken, site.report.discovery[0]?.emptySince === null], [[], false]);
  site.source("s3").names(["c"]);
  await site.clock.advance(1000);
  assertEquals(site.taken, [["c:22"]]);
  // A list that nobody stands for any more has gone.
  assertEquals(await site.switchTo(configOf({ backends: ["d"] })), ["d:22"]);
});

Deno.test("discoveries: a backend is the same however it is spelled", async () => {
  await using site = new Site({ backends: ["Kelvin:22"], discovery: ["static:s1"] });
  const before = await site.switchTo(
    site.config,
    () =>
      site.source("s1").names(["Hoek:22", "[2001:DB8::0:1]:22", "kelvin:22", "unix:/A", "unix:/a"]),
  );
  assertEquals(before, ["Kelvin:22", "hoek:22", "[2001:db8::1]:22", "unix:/A", "unix:/a"]);
  site.source("s1").names([
    "KELVIN",
    "hoek",
    "HOEK:22",
    "[2001:db8:0::1]:22",
    "unix:/A",
    "unix:/a",
  ]);
  await site.clock.advance(200);
  assertEquals(site.taken, [before]);
});

Deno.test("discoveries: lists that change all the time are taken some times a second", async () => {
  await using site = new Site({ discovery: ["static:s1"] });
  await site.switchTo(site.config, () => site.source("s1").names(["a"]));
  for (let time = 0; time < 1000; time++) {
    site.source("s1").names([`b${time}`]);
    await site.clock.advance(1);
  }
  await site.clock.advance(200);
  assert(site.taken.length >= 4 && site.taken.length <= 7, `${site.taken.length}`);
  assertEquals(site.taken.at(-1), ["b999:22"]);
});

Deno.test("discoveries: nobody is taken whose name was not looked up before", async () => {
  await using site = new Site({ discovery: ["static:s1"] });
  await site.switchTo(site.config, () => site.source("s1").names(["a"]));
  const found = Promise.withResolvers<void>();
  site.names = found.promise;
  site.source("s1").names(["b"]);
  await site.clock.advance(200);
  site.source("s1").names(["c"]);
  await site.clock.advance(200);
  assertEquals(site.taken, []);
  found.resolve();
  await site.clock.advance(500);
  assertEquals(site.taken, [["b:22"], ["c:22"]]);
  assertEquals(site.lookedUp, site.taken);
  // A reload meanwhile has taken what there is.
  const later = Promise.withResolvers<void>();
  site.names = later.promise;
  site.source("s1").names(["d"]);
  await site.clock.advance(200);
  assertEquals(await site.switchTo(site.config), ["d:22"]);
  later.resolve();
  await site.clock.advance(500);
  assertEquals(site.taken.length, 2);
});

Deno.test("discoveries: a source is told how the backends do when that changes", async () => {
  await using site = new Site({ discovery: ["static:s1"] });
  await site.switchTo(site.config, () => site.source("s1").names(["a", "b"]));
  const told = () =>
    site.source("s1").reports.map((report) => report.map(({ isUsable }) => isUsable));
  for (let time = 0; time < 5; time++) {
    site.discoveries.weighed("p");
    await site.clock.advance(300);
  }
  assertEquals(told(), [[true, true]]);
  site.pool.hold("b:22", "outlier", "slow", 0);
  site.discoveries.weighed("p");
  site.discoveries.weighed("p");
  await site.clock.advance(300);
  assertEquals(told(), [[true, true], [true, false]]);
});

Deno.test("discoveries: a backend that is the balancer itself is left out, and that is said once", async () => {
  await using site = new Site({ discovery: ["static:s1"] });
  const ids = await site.switchTo(
    site.config,
    () => site.source("s1").names(["127.0.0.1:22", "127.0.0.1:23"]),
  );
  assertEquals(ids, ["127.0.0.1:23"]);
  assertEquals(site.log.filter((line) => line.includes("frontend f itself")).length, 1);
});
