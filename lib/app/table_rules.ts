// Writes what the configuration of a pool says to all kernels, whatever strategy weighs, into its
// PickTable, and lets time pass there.

import type { Clock } from "../core/clock.ts";
import {
  CLOCK,
  HASH_BALANCE,
  type PickTable,
  STICKY_ENTRIES,
  STICKY_SECONDS,
} from "../core/pick_table.ts";
import type { PoolConfig } from "../config/config.ts";

/** How often the clock in the table is set: it counts seconds. */
const TICK_MS = 1000;

export class TableRules implements AsyncDisposable {
  readonly #table: PickTable;
  readonly #clock: Clock;
  readonly #originMs: number;
  readonly #stop = new AbortController();
  #ticking = Promise.resolve();

  constructor(table: PickTable, clock: Clock) {
    this.#table = table;
    this.#clock = clock;
    this.#originMs = clock.now();
  }

  /** Takes a configuration in; what it says holds for the next pick. */
  set({ hashBalance, sticky }: PoolConfig): void {
    const { words } = this.#table;
    const seconds = sticky.by === "off" ? 0 : Math.ceil(sticky.ttlMs / 1000);
    Atomics.store(words, HASH_BALANCE, hashBalance);
    Atomics.store(words, STICKY_SECONDS, words[STICKY_ENTRIES] === 0 ? 0 : seconds);
  }

  /** Lets time pass from now on. */
  start(): void {
    this.#ticking = this.#tickForever();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#ticking;
  }

  async #tickForever(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const seconds = Math.floor((this.#clock.now() - this.#originMs) / 1000);
      Atomics.store(this.#table.words, CLOCK, seconds);
      try {
        await this.#clock.sleep(TICK_MS, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }
}
