// A balancer as far as its pool in Redis goes: it follows the source, takes each list at once, and reports how the
// backends of it do, as the test says.

import { formatAddress } from "../../lib/core/values/address.ts";
import type { DiscoveredList } from "../../lib/discovery/discovery_source.ts";
import { SourceWatcher } from "./source_watcher.ts";

export class RedisWatcher extends SourceWatcher {
  readonly #reports: boolean;
  #down: ReadonlySet<string> = new Set();

  /** @param reports whether it reports, as a balancer does and `refresh` does not. */
  constructor(url: string, keys: Readonly<Record<string, string>> = {}, reports = true) {
    super({ source: "redis", url, interval: "200ms", timeout: "300ms", ...keys }, 1);
    this.#reports = reports;
  }

  /** Has these backends fail from now on, and all others do well. */
  setDown(...addresses: readonly string[]): void {
    this.#down = new Set(addresses);
    this.#report();
  }

  protected override took(list: DiscoveredList): void {
    super.took(list);
    this.#report();
  }

  #report(): void {
    if (!this.#reports) return;
    const backends = this.lists.at(-1)?.backends ?? [];
    const ids = backends.map(({ address }) => formatAddress(address.address));
    this.source.report?.(ids.map((id) => ({ id, isUsable: !this.#down.has(id) })));
  }
}
