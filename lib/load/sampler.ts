// The loop that asks a load source for each backend of a pool, again and again, and hands on what came
// of it. Owns the timing; knows nothing of protocols.

import { formatAddress } from "../core/address.ts";
import type { Backend } from "../core/backend.ts";
import { type Clock, jittered, type Random } from "../core/clock.ts";
import { formatDuration } from "../core/duration.ts";
import type { LoadResult } from "../core/load.ts";
import type { LoadSource } from "./load_source.ts";

export interface SamplerOptions {
  /** Stays the caller's: it is not disposed of here. */
  readonly source: LoadSource;
  /** From one sample's start to the next one's, give or take 10 %. */
  readonly intervalMs: number;
  /** After this, a sample is over. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Told of every sample; not called any more once a backend was taken out. */
  readonly report: (backendId: string, result: LoadResult) => void;
}

/** The first samples of a full pool are spread over this, so that they do not all log in at once. */
const FIRST_SPREAD_MS = 1000;
/** A small pool is known sooner: this many milliseconds lie between two first samples at most. */
const FIRST_STEP_MS = 20;

interface Loop {
  readonly backend: Backend;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

export class LoadSampler implements AsyncDisposable {
  readonly #options: SamplerOptions;
  readonly #loops = new Map<string, Loop>();
  /** Loops that were told to end and have not yet, by backend. */
  readonly #ending = new Map<string, Promise<void>>();
  #disposed = false;

  constructor(options: SamplerOptions) {
    this.#options = options;
  }

  /**
   * Samples these backends from now on and no others. Those that stay keep their rhythm; one whose
   * address has changed begins anew.
   */
  setBackends(backends: readonly Backend[]): void {
    if (this.#disposed) return;
    const wanted = new Map(backends.map((backend) => [backend.id, backend]));
    for (const [id, loop] of this.#loops) {
      const backend = wanted.get(id);
      if (backend === undefined || placeOf(backend) !== placeOf(loop.backend)) this.#stop(id, loop);
    }
    const fresh = [...wanted.values()].filter((backend) => !this.#loops.has(backend.id));
    const spread = Math.min(this.#options.intervalMs, FIRST_SPREAD_MS);
    const step = Math.min(FIRST_STEP_MS, spread / Math.max(1, fresh.length));
    for (const [index, backend] of fresh.entries()) this.#start(backend, index * step);
  }

  /** Ends every loop and waits for them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    for (const [id, loop] of this.#loops) this.#stop(id, loop);
    await Promise.all(this.#ending.values());
  }

  #start(backend: Backend, delayMs: number): void {
    const stop = new AbortController();
    const previous = this.#ending.get(backend.id);
    const ended = this.#run(backend, delayMs, stop.signal, previous);
    this.#loops.set(backend.id, { backend, stop, ended });
  }

  #stop(id: string, loop: Loop): void {
    this.#loops.delete(id);
    loop.stop.abort(new Error("stopped"));
    const ending = loop.ended.finally(() => {
      if (this.#ending.get(id) === ending) this.#ending.delete(id);
    });
    this.#ending.set(id, ending);
  }

  async #run(
    backend: Backend,
    delayMs: number,
    stop: AbortSignal,
    previous: Promise<void> | undefined,
  ): Promise<void> {
    // A backend is never asked twice at a time, also not by a loop that is on its way out.
    await previous;
    const { clock, random, intervalMs, source, report } = this.#options;
    let waitMs = delayMs;
    while (await slept(clock, waitMs, stop)) {
      const startedAt = clock.now();
      const result = await this.#sample(backend, stop);
      if (stop.aborted) break;
      report(backend.id, result);
      waitMs = Math.max(0, jittered(intervalMs, random) - (clock.now() - startedAt));
    }
    source.forget(backend.id);
  }

  /** One sample with its own deadline. */
  async #sample(backend: Backend, stop: AbortSignal): Promise<LoadResult> {
    const { clock, timeoutMs, source } = this.#options;
    const deadline = new AbortController();
    const over = new AbortController();
    const abort = () => deadline.abort(stop.reason);
    stop.addEventListener("abort", abort, { once: true });
    if (stop.aborted) abort();
    const timer = slept(clock, timeoutMs, over.signal).then((late) => {
      if (late) deadline.abort(new Error(`no answer within ${formatDuration(timeoutMs)}`));
    });
    try {
      return await source.sample(backend, deadline.signal);
    } finally {
      stop.removeEventListener("abort", abort);
      over.abort();
      await timer;
    }
  }
}

/** Waits; false when the signal came first. */
async function slept(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  if (ms <= 0) return true;
  try {
    await clock.sleep(ms, signal);
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

/** Where a backend is asked, as text to compare. */
function placeOf(backend: Backend): string {
  const load = backend.loadAddress === undefined ? "" : formatAddress(backend.loadAddress);
  return `${formatAddress(backend.address)} ${load}`;
}
