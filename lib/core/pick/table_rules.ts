// Writes what the configuration of a pool says to all kernels, whatever strategy weighs, into its
// PickTable, and lets time pass there: the clock's for a pool that serves, a recording's for a replay.

import type { Clock } from "../timing/clock.ts";
import {
  CLOCK,
  HASH_BALANCE,
  PACE_LIMIT,
  type PickTable,
  STICKY_ENTRIES,
  STICKY_SECONDS,
} from "./pick_table.ts";
import { forgetAll } from "./sticky.ts";
import { YoungSteps } from "./young.ts";

/** What of a pool's configuration kernels go by. */
export interface KernelRules {
  /** How much of its share a backend may hold under source_hash, percent, above 100; 0: any. */
  readonly hashBalance: number;
  readonly sticky: { readonly by: "off" | "source"; readonly ttlMs: number };
  /** How many young connections make a backend stand back, 0: none do, and how long they are young. */
  readonly pace: { readonly sessions: number; readonly withinMs: number };
}

/** How often the clock in the table is set at least: it counts seconds. */
const TICK_MS = 1000;

/** The rules that stand in a table, and its time, which goes on as it is told. */
export class TableRules {
  readonly #table: PickTable;
  readonly #originMs: number;
  readonly #steps: YoungSteps;

  constructor(table: PickTable, nowMs: number) {
    this.#table = table;
    this.#originMs = nowMs;
    this.#steps = new YoungSteps(table, nowMs);
  }

  /** Takes a configuration in; what it says holds for the next pick. */
  set({ hashBalance, sticky, pace }: KernelRules): void {
    const { words } = this.#table;
    const hasRoom = words[STICKY_ENTRIES] !== 0;
    const seconds = sticky.by === "off" || !hasRoom ? 0 : Math.ceil(sticky.ttlMs / 1000);
    Atomics.store(words, HASH_BALANCE, hashBalance);
    const before = Atomics.exchange(words, STICKY_SECONDS, seconds);
    if (before !== 0 && seconds === 0) forgetAll(this.#table);
    Atomics.store(words, PACE_LIMIT, pace.sessions);
    this.#steps.setWithin(pace.withinMs);
  }

  /**
   * Lets time pass up to now.
   * @returns when it wants to be called again at the latest.
   */
  advance(nowMs: number): number {
    const second = Math.floor((nowMs - this.#originMs) / 1000);
    Atomics.store(this.#table.words, CLOCK, second);
    return Math.min(nowMs + TICK_MS, this.#steps.advance(nowMs));
  }
}

/** Lets the time of a table's rules pass by a clock. */
export class RulesTicker implements AsyncDisposable {
  readonly #rules: TableRules;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  #ticking: Promise<void> | undefined;

  constructor(rules: TableRules, clock: Clock) {
    this.#rules = rules;
    this.#clock = clock;
  }

  start(): void {
    this.#ticking ??= this.#tickForever();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#ticking;
  }

  async #tickForever(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const nowMs = this.#clock.now();
      const dueMs = this.#rules.advance(nowMs);
      try {
        await this.#clock.sleep(Math.max(1, dueMs - nowMs), signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }
}
