// Looks the names of one pool's backends up, at first and then again and again.

import type { Address } from "../core/address.ts";
import type { Clock, Random } from "../core/clock.ts";
import type { Pool, PoolChange } from "../core/pool.ts";
import type { Result } from "../core/result.ts";
import { Rounds } from "../core/rounds.ts";

export interface BackendNamesParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly resolve: (address: Address, signal: AbortSignal) => Promise<Result<readonly Address[]>>;
  readonly alreadyResolved: (address: Address) => boolean;
}

const NAME_INTERVAL_MS = 30_000;
const NAME_TIMEOUT_MS = 5000;
/** How long a start waits for names, before it goes on with those that have resolved. */
const FIRST_NAMES_MS = 2000;

export class BackendNames implements AsyncDisposable {
  readonly #pool: Pool;
  readonly #parts: BackendNamesParts;
  readonly #observed: (changes: readonly PoolChange[]) => void;
  readonly #rounds: Rounds<Result<readonly Address[]>>;

  /** @param observed told after each look-up, or after all the first ones, when the pool has been. */
  constructor(
    pool: Pool,
    parts: BackendNamesParts,
    observed: (changes: readonly PoolChange[]) => void,
  ) {
    this.#pool = pool;
    this.#parts = parts;
    this.#observed = observed;
    this.#rounds = new Rounds({
      clock: parts.clock,
      random: parts.random,
      intervalMs: NAME_INTERVAL_MS,
      timeoutMs: NAME_TIMEOUT_MS,
      run: (id, signal) => this.#lookUp(id, signal),
      report: (id, found) => observed(this.#take(id, found)),
    });
  }

  /** Finds the addresses of backends that have none yet, as far as that is quickly done. */
  async first(): Promise<void> {
    const fresh: string[] = [];
    for (const { backend, addresses } of this.#pool.members) {
      if (this.#parts.alreadyResolved(backend.address)) {
        this.#pool.observeName(backend.id, [backend.address]);
      } else if (addresses.length === 0) fresh.push(backend.id);
    }
    if (fresh.length === 0) return;
    const deadline = new AbortController();
    const finished = new AbortController();
    const timer = this.#parts.clock.sleep(FIRST_NAMES_MS, finished.signal)
      .then(() => deadline.abort(), () => {});
    const changes = await Promise.all(
      fresh.map(async (id) => this.#take(id, await this.#lookUp(id, deadline.signal))),
    );
    finished.abort();
    await timer;
    // All at once: what follows costs as much as the pool is large.
    this.#observed(changes.flat());
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

  #take(id: string, found: Result<readonly Address[]>): PoolChange[] {
    return found.ok
      ? this.#pool.observeName(id, found.value)
      : this.#pool.observeName(id, [], found.message);
  }
}
