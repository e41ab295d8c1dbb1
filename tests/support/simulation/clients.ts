// Where simulated sessions come from: a few clients again and again, most of them seldom.

import { SessionChance } from "./workload.ts";

/** Who logs in one by one, numbered from 0, the busiest first; others have numbers from here on. */
export const POPULATION = 1000;

const chance = new SessionChance();

/**
 * The client of the session with that key, by Zipf's law: the k-th busiest comes in proportion to about
 * 1 / k (exactly to ln((k + 1) / k), whose sums have a closed form), the busiest with 10 % of sessions.
 *
 * It takes number 0 of the session's own stream of chance, of which behaviours take those from 1 on: so
 * sessions do the same whether somebody asks or not.
 */
export function clientOf(key: number): number {
  chance.key = key;
  chance.counter = -1;
  return Math.floor(Math.pow(POPULATION + 1, chance.next())) - 1;
}
