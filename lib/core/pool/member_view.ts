// What strategies and the estimate of free cores are shown of a pool.

import type { Backend } from "./backend.ts";
import type { LoadSample } from "./load.ts";

/** A backend as it is known when its pool is weighed. */
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
  /** What its free memory does to its score (core/watch/shortages.ts): above 0; absent: 1. */
  readonly memoryFactor?: number;
  /** What stands for weight in strategies that go by the load; absent: the same. */
  readonly loadWeight?: number;
  /** The pressure of the load's sample, where it is to correct the load (core/estimate/disk_waits.ts). */
  readonly cpuPressure?: number;
}

export type PoolView = readonly MemberView[];
