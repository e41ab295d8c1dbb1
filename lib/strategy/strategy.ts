// What a strategy is: it turns what is known of a pool's backends into numbers that a kernel compares.

import type { Backend } from "../core/pool/backend.ts";
import type { LoadSample } from "../core/pool/load.ts";
import type { PickTable } from "../core/pick/pick_table.ts";
import type { PickKernel } from "../core/pick/kernels/registry.ts";

/** A backend as a strategy sees it. */
export interface MemberView {
  readonly row: number;
  readonly backend: Backend;
  /** Healthy enough, enabled, resolved and not held back by its load source. */
  readonly usable: boolean;
  /** Its ELIGIBLE where it is not usable but stands by; absent or 0: it does not. */
  readonly standBy?: number;
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

export interface Strategy {
  /** As in lb.conf. */
  readonly name: string;
  /** What runs per connection, in shared memory. */
  readonly kernel: PickKernel;
  /**
   * Cores that each new login counts for beyond what a session costs, while a burst of logins is dealt
   * out; 0 or absent: there is none.
   */
  readonly burstCost?: number;
  /**
   * Writes who is eligible, and with what numbers, into the table. Runs on the control plane when the
   * pool, health or load changes.
   * @returns false when it has nothing to go on; then nothing was written and the pool's fallback
   * weighs instead.
   */
  weigh(view: PoolView, table: PickTable, nowMs: number): boolean;
}
