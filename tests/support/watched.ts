// A discovery source that is watched as the balancer does it, with pauses a tenth as long.

import { follow } from "../../lib/discovery/followed.ts";
import type { DiscoveredBackend, DiscoveredList } from "../../lib/discovery/discovery_source.ts";
import {
  createDiscoverySource,
  discoverySource,
  type DiscoverySourceConfig,
} from "../../lib/discovery/registry.ts";
import type { Clock } from "../../lib/core/timing/clock.ts";
import { formatAddress, formatHost } from "../../lib/core/values/address.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { readDeclared } from "../../lib/schema/declarations.ts";
import { waitFor, within } from "./wait_for.ts";

const HASTY: Clock = {
  ...SYSTEM_CLOCK,
  sleep: (ms, signal) => SYSTEM_CLOCK.sleep(ms / 10, signal),
};

/** Reads a discovery source as lb.conf has it: a text or a mapping. */
export function readSource(written: unknown): DiscoverySourceConfig {
  const read = readDeclared(discoverySource, written);
  if (!read.ok) throw new Error(read.issues.map(({ message }) => message).join("; "));
  return read.value;
}

/** A backend as one text: "host[:port]", and behind it what else is said of it. */
export function textOf({ address, cores, weight, maxConnections }: DiscoveredBackend): string {
  const { address: place, hasPort } = address;
  return [
    hasPort || place.transport === "unix" ? formatAddress(place) : formatHost(place.host),
    ...(cores === undefined ? [] : [`cores=${cores}`]),
    ...(weight === undefined ? [] : [`weight=${weight}`]),
    ...(maxConnections === undefined ? [] : [`max_connections=${maxConnections}`]),
  ].join(" ");
}

export class Watched implements AsyncDisposable {
  readonly lists: DiscoveredList[] = [];
  readonly failures: string[] = [];
  /** What it has said besides. */
  readonly words: string[] = [];
  readonly #stop = new AbortController();
  readonly #source;
  readonly #following: Promise<void>;

  constructor(written: unknown) {
    this.#source = createDiscoverySource(readSource(written), {
      clock: SYSTEM_CLOCK,
      random: Math.random,
      say: (_, text) => this.words.push(text),
    });
    this.#following = follow(this.#source, this.#stop.signal, {
      clock: HASTY,
      random: Math.random,
      took: (list) => this.lists.push(list),
      failed: (reason) => this.failures.push(reason),
    });
  }

  /** The backends of the last list as texts; undefined: there is none yet. */
  get last(): string[] | undefined {
    return this.lists.at(-1)?.backends.map(textOf);
  }

  /** Waits until the last list holds exactly these. */
  async has(...expected: string[]): Promise<void> {
    await waitFor(`the list ${expected.join(", ")}`, () => {
      const { last } = this;
      if (JSON.stringify(last) === JSON.stringify(expected)) return true;
      throw new Error(`${last?.join(", ")} (${this.failures.at(-1)})`);
    });
  }

  /** Waits for a failure that is none of those so far. */
  async fails(): Promise<string> {
    const before = this.failures.length;
    return await waitFor("the source to fail", () => this.failures.slice(before).at(-1));
  }

  /** Waits for a list that is none of those so far. */
  async next(): Promise<DiscoveredList> {
    const before = this.lists.length;
    return await waitFor("another list", () => this.lists[before]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await within("the source to end", this.#following);
    await this.#source[Symbol.asyncDispose]();
  }
}
