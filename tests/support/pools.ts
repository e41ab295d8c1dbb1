// Pools for tests of what watches over them.

import { type Backend, parseBackendSpec } from "../../lib/core/pool/backend.ts";
import { PickTable } from "../../lib/core/pick/pick_table.ts";
import { Pool } from "../../lib/core/pool/pool.ts";
import type { PoolChange } from "../../lib/core/pool/pool_change.ts";

/** A pool of backends that are up and resolved; ids are their names. */
export function runningPool(ids: readonly string[]): Pool {
  const rules = { rise: 2, fall: 3, loadMaxAgeMs: 60_000, rowRestMs: 0 };
  const pool = new Pool("p", rules, PickTable.allocate(ids.length * 2));
  pool.setBackends(backendsNamed(ids), 0);
  for (const { backend } of pool.members) {
    pool.observeName(backend.id, [backend.address]);
    pool.observeProbe(backend.id, { ok: true, latencyMs: 1 }, 0);
  }
  return pool;
}

export function backendsNamed(ids: readonly string[]): Backend[] {
  return ids.map((id) => {
    const parsed = parseBackendSpec(id, 22);
    if (!parsed.ok) throw new Error(parsed.message);
    return { ...parsed.value, id };
  });
}

/** Makes probes say so often that a backend is dead, or that it lives. */
export function probe(pool: Pool, id: string, ok: boolean, times = 3, nowMs = 0): void {
  for (let i = 0; i < times; i++) {
    pool.observeProbe(
      id,
      ok ? { ok, latencyMs: 1 } : { ok, failure: "refused", reason: "nobody there" },
      nowMs,
    );
  }
}

/** Which backends sessions may be sent to. */
export function usableIn(pool: Pool): string[] {
  return pool.members.filter((member) => pool.isUsable(member)).map(({ backend }) => backend.id);
}

export function texts(changes: readonly PoolChange[]): string[] {
  return changes.map(({ backend, text }) => `${backend} ${text}`);
}
