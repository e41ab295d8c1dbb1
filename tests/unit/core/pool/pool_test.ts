import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import type { Backend } from "../../../../lib/core/pool/backend.ts";
import { parseBackendSpec } from "../../../../lib/core/pool/backend.ts";
import {
  ACTIVE,
  ELIGIBLE,
  IDENTITY,
  MAX_CONNECTIONS,
  PickTable,
} from "../../../../lib/core/pick/pick_table.ts";
import { Pool, type PoolRules } from "../../../../lib/core/pool/pool.ts";
import { identityOf } from "../../../../lib/core/pick/source.ts";
import { backendAt } from "../../../support/backends.ts";

const RULES: PoolRules = { rise: 2, fall: 3, loadMaxAgeMs: 60_000, rowRestMs: 1000 };

function backend(spec: string, more: Partial<Backend> = {}): Backend {
  const parsed = parseBackendSpec(spec, 22);
  if (!parsed.ok) throw new Error(parsed.message);
  return { ...parsed.value, ...more };
}

function poolOf(specs: readonly string[], rules = RULES): Pool {
  const pool = new Pool("p", rules, PickTable.allocate(8));
  pool.setBackends(specs.map((spec) => backend(spec)), 0);
  for (const { backend: { id, address } } of pool.members) pool.observeName(id, [address]);
  return pool;
}

function memberOf(pool: Pool, id: string) {
  const member = pool.member(id);
  if (member === undefined) throw new Error(`no member ${id}`);
  return member;
}

const OK = { ok: true, latencyMs: 1 } as const;
const BAD = { ok: false, failure: "refused", reason: "nobody there" } as const;

Deno.test("Pool takes rows in the order of the configuration", () => {
  const pool = poolOf(["a", "b=4", "c"]);
  assertEquals(pool.members.map(({ row }) => row), [0, 1, 2]);
  assertEquals(pool.coresOf(memberOf(pool, "b:22")), { cores: 4, from: "configured" });
});

Deno.test("Pool keeps what it knows of backends that stay, frees rows of those that go", () => {
  const pool = poolOf(["a", "b"]);
  pool.observeProbe("b:22", OK, 5);
  const changes = pool.setBackends([backend("b", { maxConnections: 7 }), backend("c")], 10);
  assertEquals(changes.map(({ backend, text }) => `${backend} ${text}`), [
    "a:22 left the pool",
    "c:22 joined the pool",
  ]);
  assertEquals(memberOf(pool, "b:22").health.state, "up");
  assertEquals(pool.table.read(memberOf(pool, "b:22").row, MAX_CONNECTIONS), 7);
  // Not the row that has just become free: a worker may be about to use it.
  assertEquals(memberOf(pool, "c:22").row, 2);
  pool.tick(2000);
  pool.setBackends(["b", "c", "d"].map((spec) => backend(spec)), 2000);
  assertEquals(memberOf(pool, "d:22").row, 0);
});

Deno.test("Pool keeps a leaving backend's row until its last tunnel has ended", () => {
  const pool = poolOf(["a", "b"]);
  pool.table.write(0, ELIGIBLE, 1);
  pool.table.add(0, ACTIVE, 1);
  pool.setBackends([backend("b")], 10);
  assertEquals(pool.leaving.map(({ backend }) => backend.id), ["a:22"]);
  assertEquals(pool.table.read(0, ELIGIBLE), 0);
  pool.setBackends([backend("b"), backend("c")], 20);
  assertEquals(memberOf(pool, "c:22").row, 2);
  pool.table.add(0, ACTIVE, -1);
  pool.tick(2000);
  assertEquals(pool.leaving, []);
});

Deno.test("Pool takes back a backend that returns while its tunnels are still on", () => {
  const pool = poolOf(["a", "b"]);
  pool.table.add(0, ACTIVE, 1);
  pool.setBackends([backend("b")], 10);
  pool.setBackends([backend("a"), backend("b")], 20);
  assertEquals([memberOf(pool, "a:22").row, memberOf(pool, "a:22").leaving], [0, false]);
});

Deno.test("Pool: a backend of unknown health may be used, one that is down may not", () => {
  const pool = poolOf(["a"]);
  const member = memberOf(pool, "a:22");
  assert(pool.isUsable(member));
  const [change] = pool.observeProbe("a:22", BAD, 5);
  assertStringIncludes(change?.text ?? "", "nobody there");
  assertEquals([pool.isUsable(member), member.healthSinceMs], [false, 5]);
});

Deno.test("Pool: connect failures in a row take a backend down, a success in between does not let them", () => {
  const pool = poolOf(["a"]);
  const member = memberOf(pool, "a:22");
  pool.observeProbe("a:22", OK, 0);
  for (let i = 0; i < 5; i++) {
    pool.observeConnect("a:22", "refused", i);
    pool.observeConnect("a:22", "refused", i);
    pool.observeConnect("a:22", undefined, i);
  }
  assertEquals(member.health.state, "up");
  for (let i = 0; i < 3; i++) pool.observeConnect("a:22", "timeout", 50 + i);
  assertEquals(member.health.state, "down");
});

Deno.test("Pool: our own lack of descriptors or ports is not the backend's fault", () => {
  const pool = poolOf(["a"]);
  for (const failure of ["out_of_descriptors", "address_not_available", "aborted"] as const) {
    for (let i = 0; i < 9; i++) pool.observeConnect("a:22", failure, i);
  }
  assertEquals(memberOf(pool, "a:22").health.state, "unknown");
});

Deno.test("Pool: without probes, a backend is tried again after a while", () => {
  const pool = poolOf(["a"], { ...RULES, retryAfterMs: 10_000 });
  for (let i = 0; i < 3; i++) pool.observeConnect("a:22", "refused", 1000);
  pool.tick(10_999);
  assertEquals(memberOf(pool, "a:22").health.state, "down");
  pool.tick(11_000);
  assertEquals(memberOf(pool, "a:22").health.state, "unknown");
});

Deno.test("Pool: a good load never revives a dead backend, OFFLINE takes a live one out", () => {
  const pool = poolOf(["a"]);
  const member = memberOf(pool, "a:22");
  for (let i = 0; i < 3; i++) pool.observeProbe("a:22", BAD, i);
  pool.observeLoad("a:22", { kind: "sample", sample: { load1: 0, cores: 64, takenAtMs: 5 } }, 0);
  assertEquals(pool.isUsable(member), false);
  for (let i = 0; i < 2; i++) pool.observeProbe("a:22", OK, i);
  assert(pool.isUsable(member));
  pool.observeLoad("a:22", { kind: "offline" }, 0);
  assertEquals(pool.isUsable(member), false);
  // A source that fails says nothing about it.
  pool.observeLoad("a:22", { kind: "failed", reason: "x" }, 0);
  assertEquals(pool.isUsable(member), false);
  pool.observeLoad("a:22", { kind: "online" }, 0);
  assert(pool.isUsable(member));
});

Deno.test("Pool: a backend that is held back for two reasons comes back after both", () => {
  const pool = poolOf(["a"]);
  const member = memberOf(pool, "a:22");
  const text = (changes: readonly { text: string }[]) => changes.map((change) => change.text);
  assertEquals(text(pool.hold("a:22", "memory", "1GiB left", 5)), ["is held back: 1GiB left"]);
  assertEquals(text(pool.hold("a:22", "memory", "0.9GiB left", 6)), []);
  assertEquals(member.holds.get("memory"), { reason: "0.9GiB left", sinceMs: 5 });
  pool.hold("a:22", "outlier", "fails", 7);
  pool.release("a:22", "memory", "has memory again");
  assertEquals(pool.isUsable(member), false);
  assertEquals(text(pool.release("a:22", "outlier", "time is up")), [
    "is no longer held back: time is up",
  ]);
  assertEquals(pool.release("a:22", "outlier", "time is up"), []);
  assert(pool.isUsable(member));
});

Deno.test("Pool: a sample older than max_age is no sample", () => {
  const pool = poolOf(["a"]);
  const member = memberOf(pool, "a:22");
  pool.observeLoad("a:22", { kind: "sample", sample: { load1: 1, takenAtMs: 1000 } }, 0);
  assertEquals(pool.freshLoad(member, 61_000)?.load1, 1);
  assertEquals(pool.freshLoad(member, 61_001), undefined);
});

Deno.test("Pool tells a failing load once, and its return once", () => {
  const pool = poolOf(["a"]);
  const failed = { kind: "failed", reason: "no answer" } as const;
  const sample = { kind: "sample", sample: { load1: 1, takenAtMs: 0 } } as const;
  const told = [failed, failed, sample, sample, failed, sample]
    .map((result) => pool.observeLoad("a:22", result, 0).length);
  assertEquals(told, [1, 0, 1, 0, 1, 1]);
});

Deno.test("Pool assumes the fewest cores that it knows of, and says so once", () => {
  const pool = poolOf(["a", "b=8", "c=24"]);
  pool.observeLoad("a:22", { kind: "sample", sample: { load1: 1, takenAtMs: 0 } }, 0);
  assertEquals(pool.coresOf(memberOf(pool, "a:22")), { cores: 8, from: "assumed" });
  assertEquals(pool.tellAssumedCores().length, 1);
  assertEquals(pool.tellAssumedCores().length, 0);
  pool.observeLoad("a:22", { kind: "sample", sample: { load1: 1, cores: 4, takenAtMs: 0 } }, 0);
  assertEquals(pool.coresOf(memberOf(pool, "a:22")), { cores: 4, from: "learnt" });
});

Deno.test("Pool knows the fewest cores whatever has changed", () => {
  const ids = ["a", "b", "c"] as const;
  const change = fc.oneof(
    fc.record({
      kind: fc.constant("backends" as const),
      backends: fc.subarray([...ids]),
      cores: fc.tuple(...ids.map(() => fc.option(fc.integer({ min: 1, max: 9 })))),
    }),
    fc.record({
      kind: fc.constant("sample" as const),
      id: fc.constantFrom(...ids),
      cores: fc.integer({ min: 1, max: 9 }),
    }),
    fc.record({ kind: fc.constant("forget" as const), id: fc.constantFrom(...ids) }),
    fc.record({ kind: fc.constant("tick" as const) }),
  );
  fc.assert(fc.property(fc.array(change), (changes) => {
    const pool = new Pool("p", RULES, PickTable.allocate(8));
    for (const [step, one] of changes.entries()) {
      const nowMs = step * 600;
      if (one.kind === "backends") {
        const backends = one.backends.map((id) => {
          const cores = one.cores[ids.indexOf(id)];
          return backend(id, typeof cores === "number" ? { cores } : {});
        });
        pool.setBackends(backends, nowMs);
      } else if (one.kind === "sample") {
        const sample = { load1: 1, cores: one.cores, takenAtMs: nowMs };
        pool.observeLoad(`${one.id}:22`, { kind: "sample", sample }, nowMs);
      } else if (one.kind === "forget") pool.forgetLoad(`${one.id}:22`);
      else pool.tick(nowMs);
      const all = [...pool.members, ...pool.leaving];
      const known = all.flatMap(({ backend, learntCores }) => backend.cores ?? learntCores ?? []);
      for (const member of all) {
        const { cores, from } = pool.coresOf(member);
        if (from === "assumed") assertEquals(cores, known.length === 0 ? 1 : Math.min(...known));
      }
    }
  }));
});

Deno.test("Pool keeps the last addresses when a name stops resolving", () => {
  const pool = new Pool("p", RULES, PickTable.allocate(8));
  pool.setBackends([backend("hoek")], 0);
  const member = memberOf(pool, "hoek:22");
  assertEquals(pool.isUsable(member), false);
  const address = { transport: "tcp", host: "192.0.2.1", port: 22 } as const;
  pool.observeName("hoek:22", [address]);
  assert(pool.isUsable(member));
  const [change] = pool.observeName("hoek:22", [], "no such name");
  assertStringIncludes(change?.text ?? "", "192.0.2.1:22");
  assertEquals(pool.observeName("hoek:22", [], "no such name"), []);
  assert(pool.isUsable(member));
});

Deno.test("members stand in the order of the configuration, also after it has changed", () => {
  const table = PickTable.allocate(8);
  const pool = new Pool("p", RULES, table);
  const [a, b, c] = [backendAt("a"), backendAt("b"), backendAt("c")];
  pool.setBackends([a, b], 0);
  pool.setBackends([c, b, a], 0);
  assertEquals(pool.members.map((member) => member.backend.id), ["c:22", "b:22", "a:22"]);
  // Rows stay with those who have them.
  assertEquals(pool.members.map((member) => member.row), [2, 1, 0]);
  assertEquals(table.read(0, IDENTITY), identityOf("a:22"));
});

/** Whether a pool of one backend may be sent sessions. */
function isOpen(pool: Pool): boolean {
  return pool.isUsable(memberOf(pool, "a:22"));
}

Deno.test("Pool: what an administrator orders counts from setBackends on, health stays known", () => {
  const pool = poolOf(["a"]);
  pool.observeProbe("a:22", OK, 0);
  pool.setBackends([backend("a", { admin: "draining" })], 1);
  assertEquals([isOpen(pool), memberOf(pool, "a:22").health.state], [false, "up"]);
  pool.setBackends([backend("a")], 2);
  assertEquals([isOpen(pool), memberOf(pool, "a:22").health.state], [true, "up"]);
  // Of one that nobody probes it is not known whether it is up, nor down.
  for (let i = 0; i < 3; i++) pool.observeProbe("a:22", BAD, 3);
  pool.setBackends([backend("a", { admin: "disabled" })], 4);
  assertEquals([isOpen(pool), memberOf(pool, "a:22").health.state], [false, "unknown"]);
  pool.setBackends([backend("a")], 5);
  assertEquals([isOpen(pool), memberOf(pool, "a:22").health.state], [true, "unknown"]);
});

Deno.test("Pool: an order overrules the very word of a backend's own side, and no other", () => {
  const pool = poolOf(["a"]);
  const says = (admin: "drain" | "maint" | "ready") =>
    pool.observeLoad("a:22", { kind: "advice", advice: { admin } }, 0);
  says("drain");
  assertEquals(isOpen(pool), false);
  pool.setBackends([backend("a", { overrules: "its agent says drain" })], 1);
  assertEquals(isOpen(pool), true);
  says("drain");
  assertEquals(isOpen(pool), true);
  says("maint");
  assertEquals(isOpen(pool), false);
  says("ready");
  assertEquals(isOpen(pool), true);
  // Not what the pool's own watches hold against it.
  pool.hold("a:22", "memory", "its agent says drain", 2);
  assertEquals(isOpen(pool), false);
});

Deno.test("Pool: a load source that is against sessions may say why, and the load", () => {
  const pool = poolOf(["a=4"]);
  const sample = { load1: 1, takenAtMs: 0 };
  const reason = "nologin keeps people out there";
  const changes = pool.observeLoad("a:22", { kind: "offline", reason, sample }, 0);
  assertEquals(isOpen(pool), false);
  assertEquals(changes.map(({ text }) => text), [
    `is held back: ${reason}`,
    "reports its load: 1.00",
  ]);
  assertEquals(pool.freshLoad(memberOf(pool, "a:22"), 0), sample);
  pool.observeLoad("a:22", { kind: "sample", sample }, 0);
  assertEquals(isOpen(pool), true);
});
