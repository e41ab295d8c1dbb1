// Runs one task per key, over and over: at an interval with jitter, with a deadline for each run, never
// two runs of one key at a time. Load samples, health probes and name look-ups go their rounds by it.

import { type Clock, jittered, type Random } from "./clock.ts";
import { formatDuration } from "../values/duration.ts";
import { withDeadline } from "./with_deadline.ts";

export interface RoundsOptions<T> {
  readonly clock: Clock;
  readonly random: Random;
  /** From one run's start to the next one's, ±10 %; a run that takes longer is followed at once. */
  readonly intervalMs: number;
  /** A run's signal is aborted after so long. */
  readonly timeoutMs: number;
  /** The task. Must not reject; must end soon after its signal is aborted. */
  readonly run: (key: string, signal: AbortSignal) => Promise<T>;
  /** Told what came of each run; not called any more once a key was taken out. */
  readonly report: (key: string, outcome: T) => void;
}

/** First runs start so far apart, so that a large pool is not probed in one instant. */
const FIRST_STEP_MS = 20;
/** The last of the first runs starts within this time, however large the pool. */
const FIRST_SPREAD_MS = 1000;

interface Round {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

export class Polling<T> implements AsyncDisposable {
  readonly #options: RoundsOptions<T>;
  readonly #rounds = new Map<string, Round>();
  /** Polling that were told to stop and have not yet, by key. */
  readonly #ending = new Map<string, Promise<void>>();

  constructor(options: RoundsOptions<T>) {
    this.#options = options;
  }

  /**
   * Makes these the keys: new ones start at once, those that stay keep their rhythm, others stop.
   * Resolves when the others have.
   */
  async setKeys(keys: readonly string[]): Promise<void> {
    const stopped: Promise<void>[] = [];
    for (const [key, round] of this.#rounds) {
      if (keys.includes(key)) continue;
      round.stop.abort();
      this.#rounds.delete(key);
      const ended = round.done.finally(() => {
        if (this.#ending.get(key) === ended) this.#ending.delete(key);
      });
      this.#ending.set(key, ended);
      stopped.push(ended);
    }
    const fresh = keys.filter((key) => !this.#rounds.has(key));
    const stepMs = Math.min(FIRST_STEP_MS, FIRST_SPREAD_MS / Math.max(1, fresh.length));
    for (const [index, key] of fresh.entries()) {
      const stop = new AbortController();
      this.#rounds.set(key, { stop, done: this.#go(key, index * stepMs, stop.signal) });
    }
    await Promise.all(stopped);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.setKeys([]);
    await Promise.all(this.#ending.values());
  }

  async #go(key: string, delayMs: number, stop: AbortSignal): Promise<void> {
    const { clock, random, intervalMs } = this.#options;
    await this.#ending.get(key);
    let pauseMs = delayMs;
    while (await this.#paused(pauseMs, stop)) {
      const startedMs = clock.now();
      await this.#runOnce(key, stop);
      pauseMs = jittered(intervalMs, random) - (clock.now() - startedMs);
    }
  }

  /** Waits; false when told to stop. */
  async #paused(ms: number, stop: AbortSignal): Promise<boolean> {
    try {
      if (ms > 0) await this.#options.clock.sleep(ms, stop);
    } catch {
      return false;
    }
    return !stop.aborted;
  }

  async #runOnce(key: string, stop: AbortSignal): Promise<void> {
    const { clock, timeoutMs, run, report } = this.#options;
    const late = () =>
      new DOMException(`no answer within ${formatDuration(timeoutMs)}`, "TimeoutError");
    const outcome = await withDeadline(clock, timeoutMs, (signal) => run(key, signal), stop, late);
    if (!stop.aborted) report(key, outcome);
  }
}

/** What is done again and again, about once an interval, and asks nobody: one round without a task. */
export class Ticker implements AsyncDisposable {
  readonly #rounds: Polling<void>;

  constructor(clock: Clock, random: Random, intervalMs: number, tick: () => void) {
    const run = () => Promise.resolve();
    this.#rounds = new Polling({
      clock,
      random,
      intervalMs,
      timeoutMs: intervalMs,
      run,
      report: tick,
    });
  }

  /** Begins at once; does nothing while it ticks already. */
  start(): Promise<void> {
    return this.#rounds.setKeys(["tick"]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#rounds[Symbol.asyncDispose]();
  }
}
