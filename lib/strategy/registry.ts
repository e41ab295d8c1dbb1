// All strategies, in the order in which messages and help list them.

import { FIRST } from "./first.ts";
import { LEAST_CONNECTIONS } from "./least_connections.ts";
import { LEAST_LOAD } from "./least_load.ts";
import { RANDOM } from "./random.ts";
import { ROUND_ROBIN } from "./round_robin.ts";
import { SOURCE_HASH } from "./source_hash.ts";
import type { Strategy } from "./strategy.ts";
import { TWO_CHOICES } from "./two_choices.ts";

export const STRATEGIES = [
  LEAST_LOAD,
  ROUND_ROBIN,
  LEAST_CONNECTIONS,
  TWO_CHOICES,
  FIRST,
  SOURCE_HASH,
  RANDOM,
] as const;

type AnyStrategy = typeof STRATEGIES[number];
export type StrategyName = AnyStrategy["name"];
/** One that needs no load. */
export type FallbackName = Extract<AnyStrategy, { needsLoad: false }>["name"];

/** As lb.conf names them. */
export const STRATEGY_NAMES: readonly StrategyName[] = STRATEGIES.map(({ name }) => name);
export const FALLBACK_NAMES: readonly FallbackName[] = STRATEGIES.flatMap((one) =>
  one.needsLoad ? [] : [one.name]
);

export function strategyNamed(name: StrategyName): Strategy;
export function strategyNamed(name: string): Strategy | undefined;
export function strategyNamed(name: string): Strategy | undefined {
  return STRATEGIES.find((one) => one.name === name);
}
