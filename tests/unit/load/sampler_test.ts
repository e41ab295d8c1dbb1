import { assert, assertEquals } from "@std/assert";
import type { Backend } from "../../../lib/core/backend.ts";
import type { LoadResult } from "../../../lib/core/load.ts";
import type { LoadSource } from "../../../lib/load/load_source.ts";
import { LoadSampler } from "../../../lib/load/sampler.ts";
import { backendAt } from "../../support/backends.ts";
import { ManualClock, settled } from "../../support/manual_clock.ts";

/** A source that writes down who was asked when, and answers as the test wants. */
class ScriptedSource implements LoadSource {
  readonly kind = "scripted";
  readonly asked: { readonly id: string; readonly atMs: number; readonly backend: Backend }[] = [];
  readonly forgotten: string[] = [];
  readonly running = new Set<string>();
  overlaps = 0;
  answerAfterMs = 5;

  constructor(readonly clock: ManualClock) {}

  async sample(backend: Backend, signal: AbortSignal): Promise<LoadResult> {
    if (this.running.has(backend.id)) this.overlaps++;
    this.running.add(backend.id);
    this.asked.push({ id: backend.id, atMs: this.clock.now(), backend });
    try {
      await this.clock.sleep(this.answerAfterMs, signal);
      return { kind: "sample", sample: { load1: 1, takenAtMs: this.clock.now() } };
    } catch {
      // Nobody stops at once.
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      const reason: unknown = signal.reason;
      return { kind: "failed", reason: reason instanceof Error ? reason.message : "aborted" };
    } finally {
      this.running.delete(backend.id);
    }
  }

  forget(id: string): void {
    this.forgotten.push(id);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

function setUp(random = () => 0.5) {
  const clock = new ManualClock(0);
  const source = new ScriptedSource(clock);
  const reports: { id: string; result: LoadResult; atMs: number }[] = [];
  const sampler = new LoadSampler({
    source,
    clock,
    random,
    intervalMs: 10_000,
    timeoutMs: 2000,
    report: (id, result) => reports.push({ id, result, atMs: clock.now() }),
  });
  return { clock, source, reports, sampler };
}

Deno.test("LoadSampler asks at once, then at every interval", async () => {
  const { clock, source, reports, sampler } = setUp();
  sampler.setBackends([backendAt("a")]);
  await clock.advance(35_000);
  assertEquals(source.asked.map(({ atMs }) => atMs), [0, 10_000, 20_000, 30_000]);
  assertEquals(reports.length, 4);
  assertEquals(reports[0]?.result.kind, "sample");
  await sampler[Symbol.asyncDispose]();
  assertEquals(clock.sleeperCount, 0);
});

Deno.test("LoadSampler spreads its rounds by 10 %", async () => {
  let draw = 0;
  const { clock, source, sampler } = setUp(() => draw++ % 2 === 0 ? 0 : 0.999);
  sampler.setBackends([backendAt("a")]);
  await clock.advance(30_000);
  assertEquals(source.asked.map(({ atMs }) => Math.round(atMs / 100)), [0, 90, 200, 290]);
  await sampler[Symbol.asyncDispose]();
});

Deno.test("LoadSampler knows a small pool at once and spreads a large one over a second", async () => {
  const { clock, source, sampler } = setUp();
  sampler.setBackends(["a", "b", "c"].map((host) => backendAt(host)));
  await clock.advance(50);
  assertEquals(source.asked.map(({ atMs }) => atMs), [0, 20, 40]);
  await sampler[Symbol.asyncDispose]();

  const large = setUp();
  large.sampler.setBackends(Array.from({ length: 200 }, (_, index) => backendAt(`h${index}`)));
  await large.clock.advance(1000);
  const times = large.source.asked.map(({ atMs }) => atMs);
  assertEquals(times.length, 200);
  assert(new Set(times).size > 190 && Math.max(...times) > 900);
  await large.sampler[Symbol.asyncDispose]();
});

Deno.test("LoadSampler gives each sample its own deadline and never asks twice at a time", async () => {
  const { clock, source, reports, sampler } = setUp();
  source.answerAfterMs = 1_000_000;
  sampler.setBackends([backendAt("a"), backendAt("b")]);
  await clock.advance(60_000);
  assertEquals(source.overlaps, 0);
  assertEquals(reports.filter(({ id }) => id === "a:22").map(({ atMs }) => atMs % 10_000), [
    ...Array(6).fill(2000),
  ]);
  assertEquals(reports[0]?.result, { kind: "failed", reason: "no answer within 2s" });
  await sampler[Symbol.asyncDispose]();
});

Deno.test("LoadSampler starts and stops loops for the difference only", async () => {
  const { clock, source, reports, sampler } = setUp();
  sampler.setBackends([backendAt("a"), backendAt("b")]);
  await clock.advance(5000);
  sampler.setBackends([backendAt("b"), backendAt("c")]);
  await clock.advance(0);
  assertEquals(source.forgotten, ["a:22"]);
  await clock.advance(15_100);
  const times = (id: string) =>
    source.asked.filter((entry) => entry.id === id).map(({ atMs }) => atMs);
  assertEquals(times("a:22"), [0]);
  assertEquals(times("b:22"), [20, 10_020, 20_020]);
  assertEquals(times("c:22"), [5000, 15_000]);
  assertEquals(new Set(reports.map(({ id }) => id)), new Set(["a:22", "b:22", "c:22"]));
  await sampler[Symbol.asyncDispose]();
  assertEquals(source.forgotten.toSorted(), ["a:22", "b:22", "c:22"]);
});

Deno.test("LoadSampler begins anew when a backend's address changes", async () => {
  const { clock, source, sampler } = setUp();
  const backend = backendAt("a");
  source.answerAfterMs = 500;
  sampler.setBackends([backend]);
  await clock.advance(100);
  const loadAddress = { transport: "tcp", host: "mgmt", port: 1 } as const;
  sampler.setBackends([{ ...backend, loadAddress }]);
  await clock.advance(100);
  assertEquals(source.overlaps, 0);
  assertEquals(source.asked.map((entry) => entry.backend.loadAddress), [undefined, loadAddress]);
  // Another core count is no reason to ask again.
  sampler.setBackends([{ ...backend, loadAddress, cores: 8 }]);
  await clock.advance(600);
  assertEquals(source.asked.length, 2);
  await sampler[Symbol.asyncDispose]();
});

Deno.test("LoadSampler says nothing of a backend that was taken out, nor after its end", async () => {
  const { clock, source, reports, sampler } = setUp();
  source.answerAfterMs = 500;
  sampler.setBackends([backendAt("a")]);
  await clock.advance(100);
  sampler.setBackends([]);
  await clock.advance(1000);
  assertEquals(reports, []);
  sampler.setBackends([backendAt("a")]);
  await clock.advance(100);
  await sampler[Symbol.asyncDispose]();
  sampler.setBackends([backendAt("a")]);
  await settled();
  assertEquals(reports, []);
  assertEquals(source.running.size, 0);
  assertEquals(clock.sleeperCount, 0);
});

Deno.test("LoadSampler survives being told back and forth at once", async () => {
  const { clock, source, sampler } = setUp();
  for (let round = 0; round < 10; round++) {
    sampler.setBackends([backendAt("a")]);
    sampler.setBackends([]);
  }
  sampler.setBackends([backendAt("a")]);
  await clock.advance(10_050);
  assertEquals(source.overlaps, 0);
  assertEquals(source.asked.length, 2);
  await sampler[Symbol.asyncDispose]();
});
