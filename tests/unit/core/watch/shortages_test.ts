import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { LoadSample } from "../../../../lib/core/pool/load.ts";
import { ACTIVE, BACKUP, BACKUP_LAST, PickTable } from "../../../../lib/core/pick/pick_table.ts";
import { Pool } from "../../../../lib/core/pool/pool.ts";
import {
  memoryFactors,
  type ShortageRules,
  Shortages,
} from "../../../../lib/core/watch/shortages.ts";
import { backupTierOf } from "../../../../lib/core/pool/standing.ts";
import { backendAt } from "../../../support/backends.ts";

const GIB = 2 ** 30;
const FLOOR: ShortageRules = { memory: { minAvailable: { bytes: 2 * GIB } }, pressure: {} };

function poolOf(...names: readonly string[]): Pool {
  const rules = { rise: 2, fall: 3, loadMaxAgeMs: 60_000, rowRestMs: 1000 };
  const pool = new Pool("p", rules, PickTable.allocate(8));
  pool.setBackends(names.map((name) => backendAt(name)), 0);
  for (const { backend: { id, address } } of pool.members) pool.observeName(id, [address]);
  return pool;
}

function sample(pool: Pool, name: string, known: Partial<LoadSample>, atMs = 0): void {
  const load: LoadSample = { load1: 1, takenAtMs: atMs, ...known };
  pool.observeLoad(`${name}:22`, { kind: "sample", sample: load }, atMs);
}

function memory(pool: Pool, name: string, gib: number, atMs = 0): void {
  sample(pool, name, { memoryAvailableBytes: gib * GIB, memoryTotalBytes: 16 * GIB }, atMs);
}

/** What is said, in one line each. */
function judge(shortages: Shortages, pool: Pool, nowMs = 0): string[] {
  return shortages.judge(pool, nowMs).map(({ level, backend, text }) =>
    `${level} ${backend} ${text}`
  );
}

function usable(pool: Pool): string {
  return pool.members.filter((member) => pool.isUsable(member))
    .map(({ backend }) => backend.id.slice(0, -3)).join("");
}

Deno.test("a backend without enough memory is out until it has a tenth more than that", () => {
  const pool = poolOf("a", "b");
  const shortages = new Shortages(FLOOR);
  memory(pool, "a", 1.5);
  memory(pool, "b", 8);
  assertEquals(judge(shortages, pool), [
    "warning a:22 is held back: 1.5GiB of memory is available, less than 2.0GiB (back at 2.2GiB)",
  ]);
  assertEquals(usable(pool), "b");
  memory(pool, "a", 2.1);
  assertEquals(judge(shortages, pool), []);
  assertEquals(usable(pool), "b");
  memory(pool, "a", 2.25);
  assertEquals(judge(shortages, pool), [
    "info a:22 is no longer held back: it has enough memory again",
  ]);
  // It had come back: now the limit itself counts again.
  memory(pool, "a", 2.1);
  assertEquals(judge(shortages, pool), []);
  assertEquals(usable(pool), "ab");
});

Deno.test("a limit can be a share of all memory", () => {
  const pool = poolOf("a", "b");
  const shortages = new Shortages({ memory: { minAvailable: { share: 0.125 } }, pressure: {} });
  memory(pool, "a", 1.9);
  memory(pool, "b", 2);
  assertEquals(judge(shortages, pool), [
    "warning a:22 is held back: 1.9GiB of 16GiB memory is available, less than 12.5% (back at 13.8%)",
  ]);
});

Deno.test("what is not known, or not any more, holds nobody back and is said once", () => {
  const pool = poolOf("a", "b", "c");
  const shortages = new Shortages(FLOOR);
  memory(pool, "a", 1);
  sample(pool, "b", {});
  assertEquals(judge(shortages, pool), [
    "warning b:22 is not held back by its free memory: its load source does not tell that " +
    "(nor may those of others: said once)",
    "warning a:22 is held back: 1.0GiB of memory is available, less than 2.0GiB (back at 2.2GiB)",
  ]);
  assertEquals(judge(shortages, pool, 60_000), []);
  assertEquals(judge(shortages, pool, 60_001), [
    "info a:22 is no longer held back: its free memory is not known any more",
  ]);
  assertEquals(usable(pool), "abc");
});

Deno.test("where all that could be used are short, those with most memory are used", () => {
  const pool = poolOf("a", "b", "c");
  const shortages = new Shortages(FLOOR);
  memory(pool, "a", 0.5);
  memory(pool, "b", 1.5);
  memory(pool, "c", 4);
  judge(shortages, pool);
  assertEquals(usable(pool), "c");
  for (let i = 0; i < 3; i++) {
    pool.observeProbe("c:22", { ok: false, failure: "refused", reason: "gone" }, 5);
  }
  assertEquals(judge(shortages, pool), [
    "warning b:22 is used although 1.5GiB of memory is available, less than 2.0GiB (back at 2.2GiB): " +
    "no backend that could be used has enough",
  ]);
  assertEquals(usable(pool), "b");
  // What changes among them is no news.
  memory(pool, "a", 1.45);
  assertEquals(judge(shortages, pool), []);
  assertEquals(usable(pool), "ab");
  memory(pool, "b", 1);
  assertEquals(judge(shortages, pool), []);
  assertEquals(usable(pool), "a");
  for (let i = 0; i < 2; i++) pool.observeProbe("c:22", { ok: true, latencyMs: 1 }, 5);
  assertEquals(judge(shortages, pool), [
    "warning a:22 is held back: 1.4GiB of memory is available, less than 2.0GiB (back at 2.2GiB)",
    "info c:22 is used instead of those that are short: it has enough",
  ]);
  assertEquals(usable(pool), "c");
});

/** Which backends are backups, and of which tier. */
function backups(pool: Pool): Record<string, number> {
  const entries = pool.members.map((member) =>
    [member.backend.id.slice(0, -3), backupTierOf(pool, member)] as const
  );
  return Object.fromEntries(entries.filter(([, backupTier]) => backupTier > 0));
}

Deno.test("those that are held are backups, those with most before the others", () => {
  const pool = poolOf("a", "b", "c", "d");
  const shortages = new Shortages(FLOOR);
  memory(pool, "a", 0.5);
  memory(pool, "b", 1.5);
  memory(pool, "c", 1.45);
  memory(pool, "d", 8);
  judge(shortages, pool);
  assertEquals(usable(pool), "d");
  assertEquals(backups(pool), { a: BACKUP_LAST, b: BACKUP, c: BACKUP });
  // Neither whom something else keeps out, nor whoever is used anyway.
  pool.hold("b:22", "outlier", "slow", 0);
  assertEquals(backups(pool), { a: BACKUP_LAST, c: BACKUP });
  pool.release("b:22", "outlier", "");
  pool.member("d:22")?.health.force("down");
  judge(shortages, pool);
  assertEquals([usable(pool), backups(pool)], ["bc", { a: BACKUP }]);
  pool.member("c:22")?.health.force("down");
  memory(pool, "b", 4);
  judge(shortages, pool);
  assertEquals([usable(pool), backups(pool)], ["b", { a: BACKUP }]);
  memory(pool, "a", 4);
  judge(shortages, pool);
  assertEquals([usable(pool), backups(pool)], ["ab", {}]);
});

Deno.test("that a backup is given sessions is said once, and changes nobody's standing", () => {
  const pool = poolOf("a", "b");
  const shortages = new Shortages(FLOOR);
  const a = pool.member("a:22")?.row ?? -1;
  const setActive = (active: number) => pool.table.write(a, ACTIVE, active);
  setActive(5);
  memory(pool, "a", 1);
  memory(pool, "b", 8);
  judge(shortages, pool);
  setActive(3);
  assertEquals(judge(shortages, pool), []);
  setActive(4);
  assertEquals(judge(shortages, pool), [
    "warning a:22 is given sessions although 1.0GiB of memory is available, less than 2.0GiB (back at 2.2GiB): " +
    "no other could take them",
  ]);
  setActive(2);
  assertEquals(judge(shortages, pool), []);
  setActive(9);
  assertEquals(judge(shortages, pool), []);
  assertEquals([usable(pool), backups(pool)], ["b", { a: BACKUP }]);
  memory(pool, "a", 4);
  judge(shortages, pool);
  memory(pool, "a", 1);
  judge(shortages, pool);
  setActive(10);
  assertEquals(judge(shortages, pool).length, 1);
});

Deno.test("holds of other causes stand, and none is lifted for lack of memory elsewhere", () => {
  const pool = poolOf("a", "b");
  const shortages = new Shortages(FLOOR);
  memory(pool, "a", 1);
  memory(pool, "b", 8);
  pool.hold("b:22", "outlier", "slow", 0);
  judge(shortages, pool);
  assertEquals(usable(pool), "a");
  assert(pool.member("b:22")?.holds.has("outlier"));
});

Deno.test("pressure holds a backend back until it has fallen to three quarters of the limit", () => {
  const pool = poolOf("a", "b");
  const shortages = new Shortages({
    memory: { minAvailable: { bytes: 0 } },
    pressure: { maxCpu: 0.6, maxMemory: 0.2 },
  });
  sample(pool, "a", { cpuPressure: 0.605, memoryPressure: 0 });
  sample(pool, "b", { cpuPressure: 0, memoryPressure: 0.3 });
  assertEquals(judge(shortages, pool), [
    "warning a:22 is used although tasks wait for a CPU 60.5% of the time, more than 60% (back at 45%): " +
    "no backend that could be used has enough",
  ]);
  assertEquals(usable(pool), "a");
  sample(pool, "b", { cpuPressure: 0.1, memoryPressure: 0.15 });
  assertEquals(judge(shortages, pool), [
    "info b:22 is no longer held back: its pressure is low again",
    "warning a:22 is held back: tasks wait for a CPU 60.5% of the time, more than 60% (back at 45%)",
    "info b:22 is used instead of those that are short: it has enough",
  ]);
  assertEquals(usable(pool), "b");
  sample(pool, "a", { cpuPressure: 0.5, memoryPressure: 0 });
  assertEquals(judge(shortages, pool), []);
  sample(pool, "a", { cpuPressure: 0.45, memoryPressure: 0 });
  assertEquals(judge(shortages, pool), [
    "info a:22 is no longer held back: its pressure is low again",
  ]);
});

Deno.test("without limits nothing is watched, and what was held is let go", () => {
  const pool = poolOf("a", "b");
  const shortages = new Shortages(FLOOR);
  memory(pool, "a", 1);
  memory(pool, "b", 8);
  judge(shortages, pool);
  shortages.setRules({ memory: { minAvailable: { bytes: 0 } }, pressure: {} });
  assertEquals(judge(shortages, pool), [
    "info a:22 is no longer held back: this is not watched any more",
  ]);
  sample(pool, "a", {});
  assertEquals(judge(shortages, pool), []);
});

Deno.test("whatever samples say, somebody stays who could be used", () => {
  const known = fc.record({
    row: fc.nat({ max: 3 }),
    memoryAvailableBytes: fc.integer({ min: 0, max: 16 }).map((count) => count * GIB / 4),
    cpuPressure: fc.double({ min: 0, max: 1, noNaN: true }),
    down: fc.boolean(),
  }, { requiredKeys: ["row", "down"] });
  const rules: ShortageRules = { memory: FLOOR.memory, pressure: { maxCpu: 0.5 } };
  fc.assert(fc.property(fc.array(known, { maxLength: 30 }), (steps) => {
    const pool = poolOf("a", "b", "c", "d");
    const watch = new Shortages(rules);
    for (const { row, down, ...values } of steps) {
      const member = pool.members[row];
      assert(member !== undefined);
      sample(pool, member.backend.id.slice(0, -3), values);
      member.health.force(down ? "down" : "up");
      watch.judge(pool, 0);
      const anyUp = pool.members.some(({ health }) => health.state !== "down");
      assertEquals(usable(pool) !== "", anyUp);
      for (const member of pool.members) {
        const takesSome = pool.isUsable(member) || backupTierOf(pool, member) > 0;
        assertEquals(takesSome, member.health.state !== "down");
      }
    }
  }));
});

Deno.test("memoryFactors() takes shares to the power of the weight", () => {
  const of = (available: number): LoadSample => ({
    load1: 0,
    takenAtMs: 0,
    memoryAvailableBytes: available,
    memoryTotalBytes: 100,
  });
  assertEquals(memoryFactors([of(25), of(100)], 0), [1, 1]);
  assertEquals(memoryFactors([of(25), of(100)], 0.5), [0.5, 1]);
  // Nothing at all still leaves an order, more than all is all, and silence is the mean.
  assertEquals(memoryFactors([of(0), of(200), undefined], 1), [0.02, 1, 0.51]);
  assertEquals(memoryFactors([undefined, { load1: 0, takenAtMs: 0 }], 1), [1, 1]);
});
