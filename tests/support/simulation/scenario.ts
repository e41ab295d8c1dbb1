// What a simulation is about: servers, who comes, how often balancers ask, what happens meanwhile.

import type { Stream } from "./arrivals.ts";
import type { Behaviour } from "./workload.ts";

export interface Polls {
  /** From one sample's start to the next one's. */
  readonly intervalSeconds: number;
  /** Each interval is drawn evenly from ± this share of it. */
  readonly jitter: number;
  /** Mean time that an answer takes (exponential); the load is read half-way. */
  readonly delaySeconds: number;
  /** Share of samples that never arrive. */
  readonly loss: number;
}

/** Sessions that log in together. */
export interface ClassStart {
  readonly at: number;
  readonly sessions: number;
  /** They come evenly spread at random over this time. */
  readonly overSeconds: number;
  readonly behaviour: Behaviour;
  /**
   * How long a login takes on a server whose sshd drops connections while many log in (sshd.ts), in the mean:
   * each takes between half and one and a half times as long. Absent: nobody is dropped.
   */
  readonly loginSeconds?: number;
}

export interface Churn {
  readonly at: number;
  readonly server: number;
  readonly isIn: boolean;
}

export interface Scenario {
  /** Cores by server. */
  readonly cores: readonly number[];
  /** Tasks by server that wait for a disk all the time: they count in the load, and want no core. */
  readonly diskTasks?: readonly number[];
  readonly streams: readonly Stream[];
  /** Threads that run from long before the start to the end, by server; none unless told. */
  readonly base?: readonly number[];
  readonly polls: Polls;
  /** Independent balancers; each session comes to one of them by chance. */
  readonly balancers: number;
  readonly classStart?: ClassStart;
  /** All servers are in at the start but those whose first change is to join. */
  readonly churn?: readonly Churn[];
  /** What happens before is not measured. */
  readonly warmUpSeconds: number;
  readonly measureSeconds: number;
}
