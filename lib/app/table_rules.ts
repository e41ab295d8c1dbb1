// Writes what the configuration of a pool says to all kernels, whatever strategy weighs, into its
// PickTable, and lets time pass there.

import type { Clock } from "../core/clock.ts";
import {
  CLOCK,
  HASH_BALANCE,
  PACE_LIMIT,
  type PickTable,
  STICKY_ENTRIES,
  STICKY_SECONDS,
} from "../core/pick_table.ts";
import { PACE_STEPS, Pacer } from "../core/pace.ts";
import { forgetAll } from "../core/sticky.ts";
import type { PoolConfig } from "../config/config.ts";

/** How often the clock in the table is set at least: it counts seconds. */
const TICK_MS = 1000;

export class TableRules implements AsyncDisposable {
  readonly #table: PickTable;
  readonly #clock: Clock;
  readonly #originMs: number;
  readonly #pacer: Pacer;
  #stepMs = TICK_MS;
  readonly #stop = new AbortController();
  #ticking = Promise.resolve();

  constructor(table: PickTable, clock: Clock) {
    this.#table = table;
    this.#clock = clock;
    this.#originMs = clock.now();
    this.#pacer = new Pacer(table);
  }

  /** Takes a configuration in; what it says holds for the next pick. */
  set({ hashBalance, sticky, pace }: PoolConfig): void {
    const { words } = this.#table;
    const seconds = sticky.by === "off" ? 0 : Math.ceil(sticky.ttlMs / 1000);
    Atomics.store(words, HASH_BALANCE, hashBalance);
    const before = Atomics.exchange(
      words,
      STICKY_SECONDS,
      words[STICKY_ENTRIES] === 0 ? 0 : seconds,
    );
    if (before !== 0 && seconds === 0) forgetAll(this.#table);
    Atomics.store(words, PACE_LIMIT, pace.sessions);
    this.#stepMs = pace.withinMs / PACE_STEPS;
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
    let steppedMs = this.#clock.now();
    while (!signal.aborted) {
      const nowMs = this.#clock.now();
      Atomics.store(this.#table.words, CLOCK, Math.floor((nowMs - this.#originMs) / 1000));
      if (nowMs - steppedMs >= this.#stepMs) {
        steppedMs = nowMs;
        this.#pacer.step();
      }
      try {
        const restMs = Math.max(1, steppedMs + this.#stepMs - nowMs);
        await this.#clock.sleep(Math.min(TICK_MS, restMs), signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }
}
