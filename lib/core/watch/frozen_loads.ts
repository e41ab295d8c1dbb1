// Notices load averages that have stopped moving: the daemon that reports them hangs, or hands out what
// it once read. Such a load is worth nothing, and a low one would draw every session. Memory and pressure
// of the same samples count on, unless they stand still as well.

import type { LoadSample } from "../pool/load.ts";
import type { Pool } from "../pool/pool.ts";
import type { PoolChange } from "../pool/pool_change.ts";

/**
 * Every 5 s the kernel moves a load L by 0.08 towards a whole number n of tasks (L += (n - L)(1 -
 * e^(-5/60))). A value that is so far from every whole number moves by 0.008 or more in each of these
 * steps, so it cannot print the same twice but by swinging back. That happens by chance, for one sample
 * in four at the most; twelve in a row once in 16 million times.
 */
const BETWEEN = 0.1;
const SAMPLES = 12;
const LEAST_MS = 120_000;
/**
 * A whole number can stand for hours: nothing runs, or four programs compute. There only sessions tell:
 * a login takes about 0.2 s of CPU and is seen at one of the kernel's steps with a chance of 4 %, if
 * nobody does anything afterwards. None of 300 is seen once in 200,000 times.
 */
const SESSIONS = 300;

interface Watched {
  load1: number;
  takenAtMs: number;
  /** When this value was first seen, how often since, and sessions given until then. */
  sinceMs: number;
  samples: number;
  total: number;
  /** The last sample, and how many in a row told the same memory and pressure, the first of them when. */
  figures: LoadSample;
  figuresSinceMs: number;
  sameFigures: number;
}

export class FrozenLoads {
  readonly #watched = new Map<string, Watched>();

  /**
   * Looks at the last sample of a backend and says in its Member whether the load is to be believed.
   * @param average whether the source hands out what the kernel says. What a command prints is its own
   * affair, and a mean over seconds may well stand still.
   * @param total sessions that the backend was given so far.
   */
  observe(
    pool: Pool,
    id: string,
    sample: LoadSample | undefined,
    average: boolean,
    total: number,
  ): PoolChange[] {
    const member = pool.member(id);
    if (member === undefined || sample === undefined || !average || sample.instant === true) {
      return this.forget(pool, id);
    }
    const { load1, takenAtMs } = sample;
    const figuresAnew = { figures: sample, figuresSinceMs: takenAtMs, sameFigures: 1 };
    let watched = this.#watched.get(id);
    if (watched === undefined || watched.load1 !== load1 || total < watched.total) {
      watched = { load1, takenAtMs, sinceMs: takenAtMs, samples: 1, total, ...figuresAnew };
      this.#watched.set(id, watched);
    } else if (takenAtMs > watched.takenAtMs) {
      watched.takenAtMs = takenAtMs;
      watched.samples++;
      if (tellsTheSame(watched.figures, sample)) watched.sameFigures++;
      else Object.assign(watched, figuresAnew);
    }
    const doubt = doubtOf(watched, total);
    const before = member.loadDoubt;
    member.loadDoubt = doubt;
    member.figuresDoubted = doubt !== undefined && standStill(watched);
    if (doubt !== undefined && before === undefined) {
      const text = `${doubt}; it is placed as if its load were unknown`;
      return [{ level: "warning", backend: id, text }];
    }
    if (doubt === undefined && before !== undefined) {
      return [{
        level: "info",
        backend: id,
        text: `reports a load that moves: ${load1.toFixed(2)}`,
      }];
    }
    return [];
  }

  forget(pool: Pool, id: string): PoolChange[] {
    this.#watched.delete(id);
    const member = pool.member(id);
    if (member?.loadDoubt === undefined) return [];
    member.loadDoubt = undefined;
    member.figuresDoubted = false;
    return [{ level: "info", backend: id, text: "is asked for its load otherwise" }];
  }
}

function doubtOf(watched: Watched, total: number): string | undefined {
  const { load1, samples, takenAtMs, sinceMs } = watched;
  if (samples < SAMPLES || takenAtMs - sinceMs < LEAST_MS) return undefined;
  const minutes = Math.floor((takenAtMs - sinceMs) / 60_000);
  const frozen = `reports a load of ${load1.toFixed(2)} and nothing else for ${minutes} min`;
  if (Math.abs(load1 - Math.round(load1)) >= BETWEEN) {
    return `${frozen}, which no kernel does`;
  }
  const sessions = total - watched.total;
  return sessions >= SESSIONS ? `${frozen}, though it was given ${sessions} sessions` : undefined;
}

/**
 * Whether memory and pressure stand still beside a load that does. Free memory is told to the KiB, and
 * moves on any machine that is alive enough to be asked; where it does, the samples are read anew each
 * time, and a pressure that keeps its value is true.
 */
function standStill({ sameFigures, takenAtMs, figuresSinceMs }: Watched): boolean {
  return sameFigures >= SAMPLES && takenAtMs - figuresSinceMs >= LEAST_MS;
}

function tellsTheSame(one: LoadSample, other: LoadSample): boolean {
  return one.memoryAvailableBytes === other.memoryAvailableBytes &&
    one.cpuPressure === other.cpuPressure && one.memoryPressure === other.memoryPressure;
}
