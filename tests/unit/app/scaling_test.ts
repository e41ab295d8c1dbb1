import { assertEquals } from "@std/assert";
import { figuresOf, Scaling } from "../../../lib/app/scaling.ts";
import { ACTIVE, FREE_MILLI_CORES, PickTable } from "../../../lib/core/pick/pick_table.ts";
import { Pool } from "../../../lib/core/pool/pool.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { poolConfig } from "../../support/pool_config.ts";
import { TemporaryDirectory } from "../../support/run_program.ts";
import { waitFor } from "../../support/wait_for.ts";

const ADDRESSES = ["a:22", "b:22", "c:22"];

/** A pool of three with 4 cores each, whose command leaves a line at each run. */
class Site implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly folder = new TemporaryDirectory();
  readonly log: string[] = [];
  readonly told = `${this.folder.path}/told`;
  readonly pool: Pool;
  readonly scaling: Scaling;

  constructor(scale: object, before = "") {
    const config = this.config(scale, before);
    const rules = { rise: 1, fall: 1, loadMaxAgeMs: 30_000, rowRestMs: 0 };
    this.pool = new Pool("p", rules, PickTable.allocate(8));
    const nowMs = this.clock.now();
    this.pool.setBackends(config.backends, nowMs);
    for (const { id, address } of config.backends) {
      this.pool.observeName(id, [address]);
      this.pool.observeProbe(id, { ok: true, latencyMs: 1 }, nowMs);
    }
    const note = (text: string) => {
      this.log.push(text);
    };
    this.scaling = new Scaling(this.pool, config.scale, {
      clock: this.clock,
      log: { debug: note, info: note, warning: note, error: note },
    });
  }

  config(scale: object, before = "") {
    const exec = ["/bin/sh", "-c", `${before} echo $CLB_DIRECTION $CLB_FREE >>${this.told}`];
    return poolConfig({
      backends: ADDRESSES.map((address) => ({ address, cores: 4 })),
      scale: { exec, for: "10s", cooldown: "60s", ...scale },
    });
  }

  /** A load sample, and what a strategy makes of it. */
  load(id: string, free: number): void {
    const member = this.pool.member(id);
    if (member === undefined) return;
    const takenAtMs = this.clock.now();
    this.pool.observeLoad(id, { kind: "sample", sample: { load1: 0, takenAtMs } }, takenAtMs);
    this.pool.table.write(member.row, FREE_MILLI_CORES, free * 1000);
  }

  /** Lets time pass, second by second. */
  async pass(seconds: number): Promise<void> {
    for (; seconds > 0; seconds--) {
      await this.clock.advance(1000);
      this.scaling.tick(this.clock.now());
    }
  }

  /** Waits for something in the log: a command takes real time. */
  async logged(text: string): Promise<void> {
    await waitFor(text, () => this.log.some((line) => line.includes(text)) || undefined);
  }

  get commands(): string {
    try {
      return Deno.readTextFileSync(this.told);
    } catch {
      return "";
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scaling[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

Deno.test("nothing is run while loads are unknown; then by what is free in all", async () => {
  await using site = new Site({ up_when: "free < 4" });
  await site.pass(100);
  assertEquals([site.log, figuresOf(site.pool, site.clock.now()).free], [[], undefined]);
  // What is missing could make a difference: c may have up to 4 free cores.
  site.load("a:22", -3);
  site.load("b:22", 1);
  await site.pass(15);
  assertEquals([site.log, figuresOf(site.pool, site.clock.now()).free], [[], [1, 5]]);
  site.load("c:22", 2.5);
  await site.pass(11);
  await site.logged("is done");
  assertEquals(site.commands, "up 3.5\n");
  assertEquals(site.log, [
    "p: is scaled up: free < 4 for 10s",
    "p: the command that scales up is done, the next in 1m",
  ]);
});

Deno.test("backends that are out by order count for nothing but their sessions", async () => {
  await using site = new Site({ up_when: "sessions > 100" });
  const { backends } = site.config({});
  const nowMs = site.clock.now();
  site.pool.setBackends(
    backends.map((backend, at) => at === 0 ? { ...backend, admin: "draining" } : backend),
    nowMs,
  );
  for (const { row } of site.pool.members) site.pool.table.write(row, ACTIVE, 5);
  assertEquals(figuresOf(site.pool, nowMs), {
    ...{ backends: 2, usable: 2, cores: 8, sessions: 15, usableSessions: 10, queued: 0 },
  });
});

Deno.test("a command that takes too long is killed, and counts as failed", async () => {
  await using site = new Site({ up_when: "sessions < 1", timeout: "5s" }, "sleep 1000;");
  await site.pass(11);
  await site.logged("is scaled up");
  // Meanwhile there is no other, however long it takes.
  await site.pass(4);
  assertEquals(site.scaling.report(0, 0)?.running, "up");
  await site.pass(1);
  await site.logged("cannot be scaled up: scale.exec: it took more than 5s and was killed");
  const { running, failed, doneUp, failure } = site.scaling.report(0, 0) ?? {};
  assertEquals([running, failed, doneUp], [null, 1, 0]);
  assertEquals([failure, site.commands], ["it took more than 5s and was killed", ""]);
});

Deno.test("what a command has started in the background outlives it", async () => {
  await using folder = new TemporaryDirectory();
  const at = (name: string) => `${folder.path}/${name}`;
  const machine =
    `for i in $(seq 400); do if [ -e ${at("go")} ]; then break; fi; sleep 0.05; done; ` +
    `echo went >${at("new")}; mv ${at("new")} ${at("went")}`;
  await using site = new Site({ up_when: "sessions < 1" }, `(${machine}) >/dev/null 2>&1 &`);
  await site.pass(11);
  await site.logged("is done");
  await Deno.writeTextFile(at("go"), "");
  await waitFor("the machine", () => Deno.readTextFile(at("went")));
});

Deno.test("a balancer that drains runs no command, and its end kills the one that runs", async () => {
  const site = new Site({ up_when: "sessions < 1", cooldown: "1s" }, "sleep 1000;");
  try {
    await site.pass(11);
    await site.logged("is scaled up");
    site.scaling.stop();
  } finally {
    await site[Symbol.asyncDispose]();
  }
  assertEquals([site.log.length, site.commands], [1, ""]);
  await using other = new Site({ up_when: "sessions < 1" });
  other.scaling.stop();
  await other.pass(100);
  assertEquals(other.log, []);
});

Deno.test("what a reload changes counts at once, what has held goes on", async () => {
  await using site = new Site({ up_when: "sessions < 1", max: 3 });
  await site.pass(100);
  assertEquals(site.log, []);
  site.scaling.setConfig(site.config({ up_when: "sessions < 1", max: 4 }).scale);
  await site.pass(1);
  await site.logged("is done");
  site.scaling.setConfig(poolConfig({ backends: ADDRESSES }).scale);
  assertEquals(site.scaling.report(0, 0), null);
});
