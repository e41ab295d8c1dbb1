// A clock whose hands the test moves.

import { setImmediate } from "node:timers";
import type { Clock } from "../../lib/core/timing/clock.ts";

interface Sleeper {
  readonly wakesAt: number;
  readonly wake: () => void;
}

export class ManualClock implements Clock {
  #now: number;
  #sleepers: Sleeper[] = [];

  constructor(startMs = 1_000_000) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#now;
  }

  /** How many sleeps are going on. */
  get sleeperCount(): number {
    return this.#sleepers.length;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const remove = () => this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
    const abort = () => {
      remove();
      reject(signal.reason);
    };
    const sleeper = {
      wakesAt: this.#now + ms,
      wake: () => {
        remove();
        signal.removeEventListener("abort", abort);
        resolve();
      },
    };
    this.#sleepers.push(sleeper);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    return promise;
  }

  /**
   * Moves the hands on, stopping at each sleeper that is due on the way, in order, and lets everything
   * that only waits for promises run until it waits for time again.
   */
  async advance(ms: number): Promise<void> {
    const target = this.#now + ms;
    await settled();
    while (true) {
      const due = this.#sleepers.filter((sleeper) => sleeper.wakesAt <= target)
        .sort((a, b) => a.wakesAt - b.wakesAt)[0];
      if (due === undefined) break;
      this.#now = Math.max(this.#now, due.wakesAt);
      due.wake();
      await settled();
    }
    this.#now = target;
  }
}

/** A turn of the event loop: every promise that can settle without a new event has settled then. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
