// Looks the names of one pool's backends up, at first and then again and again.

import { describeReturn } from "../config/loops.ts";
import type { Address } from "../core/values/address.ts";
import type { Backend } from "../core/pool/backend.ts";
import type { Clock, Random } from "../core/timing/clock.ts";
import type { Pool } from "../core/pool/pool.ts";
import type { PoolChange } from "../core/pool/pool_change.ts";
import type { Result } from "../core/values/result.ts";
import { Polling } from "../core/timing/polling.ts";
import { withDeadline } from "../core/timing/with_deadline.ts";

export interface BackendNamesParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly resolve: (address: Address, signal: AbortSignal) => Promise<Result<readonly Address[]>>;
  readonly alreadyResolved: (address: Address) => boolean;
  /** The frontend at which a connection to a backend there would come in again; undefined: none. */
  readonly frontendReached?: (address: Address) => string | undefined;
}

const NAME_INTERVAL_MS = 30_000;
/** How long one look-up of a name may take. */
export const NAME_TIMEOUT_MS = 5000;
/** How long a start or a reload waits for names, before it goes on with those that have resolved. */
const FIRST_NAMES_MS = 2000;

/** What look-ups gave, by the id of the backend. */
export type FoundNames = ReadonlyMap<string, Result<readonly Address[]>>;

export class BackendNames implements AsyncDisposable {
  readonly #pool: Pool;
  readonly #parts: BackendNamesParts;
  readonly #rounds: Polling<Result<readonly Address[]>>;

  /** @param observed told after each look-up of the rounds, when the pool has been. */
  constructor(
    pool: Pool,
    parts: BackendNamesParts,
    observed: (changes: readonly PoolChange[]) => void,
  ) {
    this.#pool = pool;
    this.#parts = parts;
    this.#rounds = new Polling({
      clock: parts.clock,
      random: parts.random,
      intervalMs: NAME_INTERVAL_MS,
      timeoutMs: NAME_TIMEOUT_MS,
      run: (id, signal) => this.#lookUp(id, signal),
      report: (id, found) => observed(this.#take(id, found)),
    });
  }

  /**
   * Looks up those of these backends that the pool knows no address of, as far as that is quickly done and
   * the signal allows. The pool is told nothing: what it has goes on meanwhile.
   */
  async find(backends: readonly Backend[], signal?: AbortSignal): Promise<FoundNames> {
    const fresh = backends.filter(({ id, address }) =>
      !this.#parts.alreadyResolved(address) && !this.#pool.member(id)?.addresses.length
    );
    if (fresh.length === 0) return new Map();
    const { clock, resolve } = this.#parts;
    const lookUp = (signal: AbortSignal) =>
      Promise.all(
        fresh.map(async ({ id, address }) => [id, await resolve(address, signal)] as const),
      );
    return new Map(await withDeadline(clock, FIRST_NAMES_MS, lookUp, signal));
  }

  /** Tells the pool, which has these backends now, what was found, and what needs no look-up. */
  take(found: FoundNames): PoolChange[] {
    const changes: PoolChange[] = [];
    for (const { backend: { id, address }, addresses } of this.#pool.members) {
      const result = found.get(id);
      if (this.#parts.alreadyResolved(address)) this.#pool.observeName(id, [address]);
      else if (result !== undefined) changes.push(...this.#take(id, result));
      // A reload may have put a frontend where the backend is.
      else changes.push(...this.#refuse(id, addresses) ?? []);
    }
    return changes;
  }

  /** Goes the rounds for the backends that the pool has now. */
  async follow(): Promise<void> {
    const { alreadyResolved } = this.#parts;
    const named = this.#pool.members.filter(({ backend }) => !alreadyResolved(backend.address));
    await this.#rounds.setKeys(named.map(({ backend }) => backend.id));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rounds[Symbol.asyncDispose]();
  }

  async #lookUp(id: string, signal: AbortSignal): Promise<Result<readonly Address[]>> {
    const member = this.#pool.member(id);
    return member === undefined
      ? { ok: true, value: [] }
      : await this.#parts.resolve(member.backend.address, signal);
  }

  /** Refuses a backend that is the balancer itself; undefined when it is not. */
  #refuse(id: string, addresses: readonly Address[]): PoolChange[] | undefined {
    for (const address of addresses) {
      const frontend = this.#parts.frontendReached?.(address);
      if (frontend === undefined) continue;
      return this.#pool.refuseName(id, describeReturn(address, frontend));
    }
    return undefined;
  }

  #take(id: string, found: Result<readonly Address[]>): PoolChange[] {
    if (!found.ok) return this.#pool.observeName(id, [], found.message);
    return this.#refuse(id, found.value) ?? this.#pool.observeName(id, found.value);
  }
}
