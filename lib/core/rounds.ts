// Runs one task per key, over and over: at an interval with jitter, with a deadline for each run, never
// two runs of one key at a time. Health probes and name look-ups go their rounds by it.

import { type Clock, jittered, type Random } from "./clock.ts";

export interface RoundsOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** From the end of one run to the start of the next, ±10 %. */
  readonly intervalMs: number;
  /** A run's signal is aborted after so long. */
  readonly timeoutMs: number;
  /** The task. Must not reject; must end soon after its signal is aborted. */
  readonly run: (key: string, signal: AbortSignal) => Promise<void>;
}

/** First runs start so far apart, so that a large pool is not probed in one instant. */
const FIRST_STEP_MS = 20;
/** The last of the first runs starts within this time, however large the pool. */
const FIRST_SPREAD_MS = 1000;

interface Round {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

export class Rounds implements AsyncDisposable {
  readonly #options: RoundsOptions;
  readonly #rounds = new Map<string, Round>();

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  /** Makes these the keys: new ones start at once, others stop. */
  async setKeys(keys: readonly string[]): Promise<void> {
    const stopped: Promise<void>[] = [];
    for (const [key, round] of this.#rounds) {
      if (keys.includes(key)) continue;
      round.stop.abort();
      this.#rounds.delete(key);
      stopped.push(round.done);
    }
    const fresh = keys.filter((key) => !this.#rounds.has(key));
    for (const [index, key] of fresh.entries()) {
      const stop = new AbortController();
      const delayMs = index * Math.min(FIRST_STEP_MS, FIRST_SPREAD_MS / fresh.length);
      this.#rounds.set(key, { stop, done: this.#go(key, delayMs, stop.signal) });
    }
    await Promise.all(stopped);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.setKeys([]);
  }

  async #go(key: string, delayMs: number, stop: AbortSignal): Promise<void> {
    const { clock, random, intervalMs } = this.#options;
    let pauseMs = delayMs;
    for (;;) {
      try {
        if (pauseMs > 0) await clock.sleep(pauseMs, stop);
      } catch {
        return;
      }
      if (stop.aborted) return;
      await this.#runOnce(key, stop);
      if (stop.aborted) return;
      pauseMs = jittered(intervalMs, random);
    }
  }

  async #runOnce(key: string, stop: AbortSignal): Promise<void> {
    const { clock, timeoutMs, run } = this.#options;
    const deadline = new AbortController();
    const finished = new AbortController();
    const onStop = () => deadline.abort(stop.reason);
    stop.addEventListener("abort", onStop, { once: true });
    const timer = clock.sleep(timeoutMs, finished.signal).then(
      () => deadline.abort(new DOMException("Deadline passed", "TimeoutError")),
      () => {},
    );
    await run(key, deadline.signal);
    finished.abort();
    stop.removeEventListener("abort", onStop);
    await timer;
  }
}
