// Counts since the start what engine counters do not tell apart: sessions, bytes, refusals and failed
// connects by frontend, pool and backend. Taken from events: what the engine had to throw away is missing.

import type { FailureKind } from "../core/values/errors.ts";
import type { EngineEvent, RefusalReason, Session } from "../engine/engine.ts";
import type { BytesCount, TallyReport } from "../admin/metrics.ts";

/** Bytes of the sessions that have ended, and of those that stand. */
class Moved {
  #ended = 0;
  #standing = 0;
  #told = 0;

  end(bytes: number): void {
    this.#ended += bytes;
  }

  /** Counts anew what has been moved by sessions that stand. */
  recount(): void {
    this.#standing = 0;
  }

  stand(bytes: number): void {
    this.#standing += bytes;
  }

  /** Never less than before: a session may stand no more, and its end not be read yet. */
  get told(): number {
    return this.#told = Math.max(this.#told, this.#ended + this.#standing);
  }
}

class Bytes implements BytesCount {
  readonly toBackend = new Moved();
  readonly toClient = new Moved();

  get bytesToBackend(): number {
    return this.toBackend.told;
  }

  get bytesToClient(): number {
    return this.toClient.told;
  }
}

class FrontendTally extends Bytes {
  opened = 0;
  readonly refused = new Map<RefusalReason, number>();
}

class BackendTally extends Bytes {
  readonly failures = new Map<FailureKind, number>();
}

type Whose = Pick<Session, "frontend" | "pool" | "backend">;

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
        for (const bytes of this.#bytesOf(event)) {
          bytes.toBackend.end(event.bytesToBackend);
          bytes.toClient.end(event.bytesToClient);
        }
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

  /** @param sessions those that stand. */
  report(sessions: readonly Session[]): TallyReport {
    const backends = this.#pools.values().flatMap((pool) => pool.backends.values());
    for (const { toBackend, toClient } of [...this.#frontends.values(), ...backends]) {
      toBackend.recount();
      toClient.recount();
    }
    for (const session of sessions) {
      for (const bytes of this.#bytesOf(session)) {
        bytes.toBackend.stand(session.bytesToBackend);
        bytes.toClient.stand(session.bytesToClient);
      }
    }
    return { frontends: this.#frontends, pools: this.#pools };
  }

  /** Where the bytes of a session count. */
  #bytesOf({ frontend, pool, backend }: Whose): readonly Bytes[] {
    return [
      this.#frontendOf(frontend),
      made(this.#poolOf(pool).backends, backend, BackendTally),
    ];
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
