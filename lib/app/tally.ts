// Counts since the start what engine counters do not tell apart: sessions, bytes, refusals and failed
// connects by frontend, pool and backend. Taken from events: what the engine had to throw away is missing.

import type { FailureKind } from "../core/values/errors.ts";
import type { EngineEvent, RefusalReason } from "../engine/engine.ts";
import type { BytesCount, TallyReport } from "../admin/metrics.ts";

class FrontendTally implements BytesCount {
  opened = 0;
  bytesToBackend = 0;
  bytesToClient = 0;
  readonly refused = new Map<RefusalReason, number>();
}

class BackendTally implements BytesCount {
  bytesToBackend = 0;
  bytesToClient = 0;
  readonly failures = new Map<FailureKind, number>();
}

class PoolTally {
  /** Backends that were picked for clients, those that did not take the connection included. */
  picks = 0;
  readonly refused = new Map<RefusalReason, number>();
  readonly backends = new Map<string, BackendTally>();
}

export class Tally {
  readonly #frontends = new Map<string, FrontendTally>();
  readonly #pools = new Map<string, PoolTally>();

  observe(event: EngineEvent): void {
    if (event.kind === "accept_failed") return;
    const { backends } = this.#poolOf(event.pool);
    switch (event.kind) {
      case "opened":
        this.#poolOf(event.pool).picks += event.attempts;
        this.#frontendOf(event.frontend).opened++;
        break;
      case "closed":
        addBytes(this.#frontendOf(event.frontend), event);
        addBytes(made(backends, event.backend, BackendTally), event);
        break;
      case "refused":
        this.#poolOf(event.pool).picks += event.attempts;
        countIn(this.#poolOf(event.pool).refused, event.reason);
        countIn(this.#frontendOf(event.frontend).refused, event.reason);
        break;
      case "connect_failed":
        countIn(made(backends, event.backend, BackendTally).failures, event.failure);
    }
  }

  /** Forgets what is not configured any more, and has no session that could still end. */
  forget(isKnown: (pool: string, backend?: string) => boolean, frontends: Iterable<string>): void {
    const names = new Set(frontends);
    for (const name of this.#frontends.keys()) if (!names.has(name)) this.#frontends.delete(name);
    for (const [pool, { backends }] of this.#pools) {
      if (!isKnown(pool)) this.#pools.delete(pool);
      for (const id of backends.keys()) if (!isKnown(pool, id)) backends.delete(id);
    }
  }

  report(): TallyReport {
    return { frontends: this.#frontends, pools: this.#pools };
  }

  #frontendOf(name: string): FrontendTally {
    return made(this.#frontends, name, FrontendTally);
  }

  #poolOf(name: string): PoolTally {
    return made(this.#pools, name, PoolTally);
  }
}

/** What stands under a name; made when there is nothing. */
function made<T>(map: Map<string, T>, name: string, Kind: new () => T): T {
  const known = map.get(name);
  if (known !== undefined) return known;
  const fresh = new Kind();
  map.set(name, fresh);
  return fresh;
}

function countIn<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function addBytes(
  to: { bytesToBackend: number; bytesToClient: number },
  { bytesToBackend, bytesToClient }: BytesCount,
): void {
  to.bytesToBackend += bytesToBackend;
  to.bytesToClient += bytesToClient;
}
