// Strategies by the name that lb.conf gives them.

import { First } from "./first.ts";
import { LeastConnections } from "./least_connections.ts";
import { LeastLoad } from "./least_load.ts";
import { RandomChoice } from "./random.ts";
import { RoundRobin } from "./round_robin.ts";
import { SourceHash } from "./source_hash.ts";
import type { Strategy } from "./strategy.ts";
import { TwoChoices } from "./two_choices.ts";

const STRATEGIES = {
  least_load: LeastLoad,
  round_robin: RoundRobin,
  least_connections: LeastConnections,
  two_choices: TwoChoices,
  first: First,
  source_hash: SourceHash,
  random: RandomChoice,
} as const satisfies Readonly<Record<string, new () => Strategy>>;

export type StrategyName = keyof typeof STRATEGIES;

export function isStrategyName(text: string): text is StrategyName {
  return Object.hasOwn(STRATEGIES, text);
}

/** Makes the strategy of that name. */
export function createStrategy(name: StrategyName): Strategy {
  return new STRATEGIES[name]();
}
