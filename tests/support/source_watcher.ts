// A discovery source as lb.conf has it, followed as the balancer follows it, by a clock that goes faster: what is
// found out after seconds is found out at once. One that goes slower shows that nothing waits for the time.

import type { Clock } from "../../lib/core/timing/clock.ts";
import { formatAddress } from "../../lib/core/values/address.ts";
import type {
  DiscoveredBackend,
  DiscoveredList,
  DiscoverySource,
} from "../../lib/discovery/discovery_source.ts";
import { follow } from "../../lib/discovery/followed.ts";
import { createDiscoverySource, discoverySource } from "../../lib/discovery/registry.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { type Draft, readDeclared } from "../../lib/schema/declarations.ts";
import { waitFor } from "./wait_for.ts";

/** Time as the program sees it, so many times as fast. */
function clockAt(speed: number): Clock {
  return {
    now: () => SYSTEM_CLOCK.now() * speed,
    wall: () => SYSTEM_CLOCK.wall(),
    sleep: (ms, signal) => SYSTEM_CLOCK.sleep(ms / speed, signal),
  };
}

/** A backend as one text: "host:port" or "host:1?", and behind it what else is said of it. */
export function backendText({ address, ...figures }: DiscoveredBackend): string {
  return [
    address.hasPort ? formatAddress(address.address) : `${formatAddress(address.address)}?`,
    ...Object.entries(figures).map((figure) => figure.join("=")),
  ].join(" ");
}

export class SourceWatcher implements AsyncDisposable {
  readonly lists: DiscoveredList[] = [];
  readonly failures: string[] = [];
  /** What people are told besides. */
  readonly said: string[] = [];
  readonly #stop = new AbortController();
  protected readonly source: DiscoverySource;
  readonly #following: Promise<void>;

  constructor(written: Draft, speed = 10) {
    const clock = clockAt(speed);
    const read = readDeclared(discoverySource, written);
    if (!read.ok) throw new Error(read.issues.map(({ message }) => message).join("; "));
    this.source = createDiscoverySource(read.value, {
      clock,
      random: Math.random,
      say: (_, text) => this.said.push(text),
      waits: (reason) => this.said.push(reason),
    });
    this.#following = follow(this.source, this.#stop.signal, {
      // A pause after a failure is nothing that tests are about.
      clock: clockAt(Math.max(10, speed)),
      random: Math.random,
      took: (list) => this.took(list),
      failed: (reason) => this.failures.push(reason),
    });
  }

  protected took(list: DiscoveredList): void {
    this.lists.push(list);
  }

  /** What the last list names, in order. */
  get pool(): string | undefined {
    return this.lists.at(-1)?.backends.map(backendText).sort().join(", ");
  }

  /** Waits until the last list names these. */
  async has(...backends: readonly string[]): Promise<void> {
    const pool = [...backends].sort().join(", ");
    await waitFor(`the list "${pool.slice(0, 200)}"`, () => {
      if (this.pool === pool) return true;
      throw new Error(`${this.pool?.slice(0, 200)} (${this.failures.at(-1)})`);
    });
  }

  /** Waits for a failure of this kind that comes after the first so many, and gives it. */
  async fails(pattern: RegExp, after = 0): Promise<string> {
    return await waitFor(`a failure ${pattern}`, () => {
      const failures = this.failures.slice(after);
      const found = failures.find((reason) => pattern.test(reason));
      if (found !== undefined) return found;
      throw new Error(failures.join(" | "));
    });
  }

  /** Waits for a list that comes after the first so many. */
  async next(after = this.lists.length): Promise<DiscoveredList> {
    return await waitFor("another list", () => this.lists[after]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#following;
  }
}
