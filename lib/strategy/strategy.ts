// What a strategy is: it turns what is known of a pool's backends into numbers that a kernel compares.

import type { FreeCores } from "../core/estimate/free_cores.ts";
import type { Backend } from "../core/pool/backend.ts";
import type { LoadSample } from "../core/pool/load.ts";
import type { PickTable } from "../core/pick/pick_table.ts";
import type { AnyKernel } from "../core/pick/kernels/registry.ts";

/** A backend as a strategy sees it. */
export interface MemberView {
  readonly row: number;
  readonly backend: Backend;
  /** Healthy enough, enabled, resolved and not held back by its load source. */
  readonly usable: boolean;
  /** Its ELIGIBLE where it is not usable but a backup; absent or 0: it is none. */
  readonly backupTier?: number;
  /** Absent when there is none, or the last is too old. */
  readonly load?: LoadSample;
  /** Configured, learnt or assumed. */
  readonly cores: number;
  /** Its share beside others: above 0 where usable; 1 unless something says otherwise. */
  readonly weight: number;
  /** What its free memory does to its score: a factor above 0; absent: 1. */
  readonly memoryFactor?: number;
  /** What stands for weight in strategies that go by the load; absent: the same. */
  readonly loadWeight?: number;
  /** The pressure of the load's sample, where it is to correct the load. */
  readonly cpuPressure?: number;
}

export type PoolView = readonly MemberView[];

/**
 * Turns what is known of a pool into numbers in its table. Remembers nothing itself: what is learnt of loads
 * is the pool's, so that another strategy goes on with it.
 */
export interface Strategy {
  /** As in lb.conf. */
  readonly name: string;
  /** What runs per connection, in shared memory. */
  readonly kernel: AnyKernel;
  /** For people: where the next session goes, and what the strategy is for. */
  readonly help: string;
  /** Whether it has nothing to go on without a usable backend whose load is known; then a fallback places. */
  readonly needsLoad: boolean;
  /** Whether a burst of logins is dealt out over the backends. */
  readonly dealsBursts: boolean;
  /**
   * Writes who is eligible, and with what numbers, into the table, and lets the estimate learn from the
   * view. Runs on the control plane every second or so, and when the pool, health or load has changed.
   */
  weigh(view: PoolView, table: PickTable, nowMs: number, freeCores: FreeCores): void;
}

/**
 * Weighs by a strategy, or by its fallback where the strategy has nothing to go on.
 * @returns the one of them that has weighed.
 */
export function weigh(
  strategy: Strategy,
  fallback: Strategy,
  ...[view, ...rest]: Parameters<Strategy["weigh"]>
): Strategy {
  const isBlind = strategy.needsLoad &&
    !view.some((member) => member.usable && member.load !== undefined);
  const placing = isBlind ? fallback : strategy;
  placing.weigh(view, ...rest);
  return placing;
}
