// A balancer as far as its pool in Redis goes: it follows the source, takes each list at once, and reports how the
// backends of it do, as the test says.

import { formatAddress } from "../../lib/core/values/address.ts";
import type { DiscoveredList } from "../../lib/discovery/discovery_source.ts";
import { follow } from "../../lib/discovery/followed.ts";
import { redis, RedisSource } from "../../lib/discovery/redis.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";

export class RedisWatcher implements AsyncDisposable {
  readonly lists: DiscoveredList[] = [];
  readonly failures: string[] = [];
  readonly said: string[] = [];
  readonly #source: RedisSource;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  readonly #reports: boolean;
  #down: ReadonlySet<string> = new Set();

  /** @param reports whether it reports, as a balancer does and `refresh` does not. */
  constructor(url: string, keys: Readonly<Record<string, string>> = {}, reports = true) {
    const own = redis.section.present.parse({ url, interval: "200ms", timeout: "300ms", ...keys });
    this.#source = new RedisSource(own, {
      clock: SYSTEM_CLOCK,
      random: Math.random,
      say: (_, text) => this.said.push(text),
      waits: (reason) => this.said.push(reason),
    });
    this.#reports = reports;
    // A pause after a failure as with a backend that is just back, so that tests need not wait.
    const clock = {
      ...SYSTEM_CLOCK,
      sleep: (ms: number, signal: AbortSignal) => SYSTEM_CLOCK.sleep(Math.min(ms, 50), signal),
    };
    this.#done = follow(this.#source, this.#stop.signal, {
      clock,
      random: Math.random,
      failed: (reason) => this.failures.push(reason),
      took: (list) => {
        this.lists.push(list);
        this.#report();
      },
    });
  }

  /** The addresses of its pool, in order of the alphabet; undefined while it knows of none. */
  get pool(): string | undefined {
    return this.lists.at(-1)?.backends.map(({ address }) => formatAddress(address.address))
      .sort().join(" ");
  }

  /** Has these backends fail from now on, and all others do well. */
  setDown(...addresses: readonly string[]): void {
    this.#down = new Set(addresses);
    this.#report();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  #report(): void {
    if (!this.#reports) return;
    const ids = this.pool?.split(" ").filter((id) => id !== "") ?? [];
    this.#source.report(ids.map((id) => ({ id, isUsable: !this.#down.has(id) })));
  }
}
