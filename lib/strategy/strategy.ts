// What a strategy is: it says which kernel compares the numbers that are known of a pool's backends, and
// which numbers those are. weigh.ts writes them.

import type { AnyKernel } from "../core/pick/kernels/registry.ts";

/** Remembers nothing: what is learnt of loads is the pool's, so that another strategy goes on with it. */
export interface Strategy {
  /** As in lb.conf. */
  readonly name: string;
  /** What runs per connection, in shared memory. */
  readonly kernel: AnyKernel;
  /** For people: where the next session goes, and what the strategy is for. */
  readonly help: string;
  /**
   * Whether it goes by the load alone: without a usable backend whose load is known a fallback places, and
   * the percentage of an agent, which is in the load already, is no weight.
   */
  readonly needsLoad: boolean;
  /** Whether the kernel compares free cores, as they are estimated; else they stand there for the log. */
  readonly comparesLoad: boolean;
  /** Whether a burst of logins is dealt out over the backends. */
  readonly dealsBursts: boolean;
}
