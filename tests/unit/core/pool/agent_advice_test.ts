// What an agent says, and what the pool makes of it.

import { assert, assertEquals } from "@std/assert";
import type { AgentAdvice } from "../../../../lib/core/pool/agent_advice.ts";
import { type Backend, parseBackendSpec } from "../../../../lib/core/pool/backend.ts";
import type { LoadSample } from "../../../../lib/core/pool/load.ts";
import { MAX_CONNECTIONS, PickTable } from "../../../../lib/core/pick/pick_table.ts";
import { Pool, type PoolRules } from "../../../../lib/core/pool/pool.ts";

const RULES: PoolRules = { rise: 2, fall: 3, loadMaxAgeMs: 60_000, rowRestMs: 1000 };
const ID = "a:22";

class Site {
  readonly pool = new Pool("p", RULES, PickTable.allocate(8));
  readonly told: string[] = [];
  nowMs = 0;

  constructor(more: Partial<Backend> = {}) {
    this.admit(more);
    for (const { backend: { id, address } } of this.pool.members) {
      this.pool.observeName(id, [address]);
    }
  }

  get member() {
    const member = this.pool.member(ID);
    if (member === undefined) throw new Error("no member");
    return member;
  }

  get isUsable(): boolean {
    return this.pool.isUsable(this.member);
  }

  get limit(): number {
    return this.pool.table.read(this.member.row, MAX_CONNECTIONS);
  }

  admit(more: Partial<Backend> = {}): void {
    const parsed = parseBackendSpec("a", 22);
    if (!parsed.ok) throw new Error(parsed.message);
    this.pool.setBackends([{ ...parsed.value, ...more }], this.nowMs);
  }

  says(advice: AgentAdvice, sample?: LoadSample): void {
    const result = { kind: "advice", advice, ...(sample === undefined ? {} : { sample }) } as const;
    for (const { text } of this.pool.observeLoad(ID, result, ++this.nowMs)) this.told.push(text);
  }

  probes(ok: boolean, times: number): void {
    for (let i = 0; i < times; i++) {
      this.pool.observeProbe(
        ID,
        ok ? { ok, latencyMs: 1 } : { ok, failure: "refused", reason: "refused" },
        ++this.nowMs,
      );
    }
  }
}

Deno.test("agent: what it has said holds until it says otherwise", () => {
  const site = new Site({ weight: 2, maxConnections: 20 });
  site.says({ share: 0.5, maxConnections: 30, admin: "drain" });
  const state = () => [site.pool.weightOf(site.member), site.limit, site.isUsable];
  assertEquals(state(), [1, 30, false]);
  site.says({ health: "up" });
  site.says({});
  site.pool.observeLoad(ID, { kind: "failed", reason: "refused" }, 5);
  site.pool.tick(1e9);
  assertEquals(state(), [1, 30, false]);
  site.says({ admin: "ready" });
  assertEquals(state(), [1, 30, true]);
  site.says({ share: 1.5 });
  site.says({ maxConnections: 0 });
  assertEquals(state(), [3, 0, true]);
});

Deno.test("agent: ready ends drain and maint, up ends down, fail and stopped, neither the other", () => {
  const site = new Site();
  for (const admin of ["drain", "maint"] as const) {
    for (const health of ["down", "fail", "stopped"] as const) {
      site.says({ admin, health });
      site.says({ admin: "ready" });
      assertEquals(site.isUsable, false);
      site.says({ admin });
      site.says({ health: "up" });
      assertEquals(site.isUsable, false);
      site.says({ admin: "ready" });
      assert(site.isUsable);
    }
  }
  site.says({ share: 0 });
  site.says({ admin: "ready", health: "up" });
  assertEquals([site.isUsable, site.pool.weightOf(site.member)], [false, 0]);
  site.says({ share: 0.01 });
  assert(site.isUsable);
});

Deno.test("agent: every change is told once, in the agent's words", () => {
  const site = new Site();
  site.says({ share: 0.75 });
  site.says({ share: 0.7, maxConnections: 5 });
  site.says({ share: 0.7, maxConnections: 5 });
  site.says({ admin: "drain", description: "kernel update" });
  site.says({ admin: "drain", description: "kernel update" });
  site.says({ health: "down" });
  site.says({ admin: "ready", health: "up" });
  site.says({ maxConnections: 0 });
  assertEquals(site.told, [
    "reports its load: 0.25",
    "takes at most 5 sessions: its agent says so",
    "is held back: its agent says drain (kernel update)",
    "is still held back: its agent says down, drain (kernel update)",
    "is no longer held back: its agent says ready, up",
    "takes any number of sessions: its agent says so",
  ]);
});

Deno.test("agent: it never revives a backend that probes call down", () => {
  const site = new Site();
  site.probes(false, 3);
  site.says({ share: 1, admin: "ready", health: "up" });
  assertEquals([site.member.health.state, site.isUsable], ["down", false]);
  site.probes(true, 2);
  assertEquals([site.member.health.state, site.isUsable], ["up", true]);
  // Nor does a probe that passes set aside what the agent has against it.
  site.says({ health: "stopped" });
  site.probes(true, 5);
  assertEquals([site.member.health.state, site.isUsable], ["up", false]);
});

Deno.test("agent: its own load counts, else a percentage stands for idle CPU, said now", () => {
  const site = new Site({ cores: 8 });
  site.says({ share: 0.25 }, { load1: 3, cores: 16, takenAtMs: 1 });
  assertEquals(site.member.load?.load1, 3);
  assertEquals(site.member.learntCores, 16);
  site.says({ share: 0.25 });
  assertEquals(site.member.load, { load1: 6, instant: true, takenAtMs: 2 });
  site.says({ health: "up" });
  assertEquals(site.member.load, { load1: 6, instant: true, takenAtMs: 2 });
  site.says({ share: 2 });
  assertEquals(site.member.load?.load1, 0);
  // Strategies that go by the load must not take the percentage twice.
  assertEquals([site.pool.weightOf(site.member), site.pool.loadWeightOf(site.member)], [2, 1]);
});

Deno.test("agent: without a load and a percentage there is no load, and that is said", () => {
  const site = new Site();
  site.says({ health: "up" });
  assertEquals(site.member.load, undefined);
  assertEquals(site.member.loadFailure, "its agent gives neither a load nor a percentage");
});

Deno.test("agent: all that it has said goes with the source that asked it", () => {
  const site = new Site({ maxConnections: 20 });
  site.says({ share: 0.5, maxConnections: 3, admin: "maint", health: "fail" });
  site.pool.forgetLoad(ID);
  assertEquals([site.pool.weightOf(site.member), site.limit, site.isUsable], [1, 20, true]);
  assertEquals(site.member.agent, undefined);
});

Deno.test("agent: a reload changes the configured limit, not what the agent says", () => {
  const site = new Site({ maxConnections: 20 });
  site.says({ maxConnections: 3 });
  site.admit({ maxConnections: 50 });
  assertEquals(site.limit, 3);
  site.pool.forgetLoad(ID);
  assertEquals(site.limit, 50);
});
