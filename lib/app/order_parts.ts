// What carrying orders out needs of the program around it.

import type { Clock, Random } from "../core/timing/clock.ts";
import type { Config } from "../config/config.ts";
import type { Engine } from "../engine/engine.ts";
import type { LogArea } from "../log/setup.ts";
import type { Pools } from "./pools.ts";

/** What is done in a turn: the next begins when `rest` is over, too. */
export interface Turn<T> {
  readonly value: T;
  readonly rest?: Promise<void>;
}

export interface OrderParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: LogArea;
  readonly engine: Engine;
  /** Runs when no reload and no other order is being carried out. */
  readonly inTurn: <T>(run: () => Promise<Turn<T>>) => Promise<T>;
  /** Makes the denials of now hold, for every client from its end on. In a turn. */
  readonly turnAway: () => Promise<void>;
  /** What is in effect now. */
  readonly config: () => Config;
  readonly pools: () => Pools;
  /** Why nothing may be ordered any more; undefined: all may. */
  readonly closed: () => string | undefined;
}
