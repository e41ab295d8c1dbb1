// least_connections: the backend that holds the fewest tunnels for its weight.
//
// `!` on typed-array reads: indices are below the table's row count by construction.

import { type Choice, NO_ROW, type Tried } from "../choice.ts";
import { ACTIVE, CURSOR, HEADER_WORDS, type PickTable, ROW_WORDS } from "../pick_table.ts";
import { weightOf } from "../candidate.ts";
import {
  defineKernel,
  FEWEST_WORDS,
  holdsMore,
  MORE_SESSIONS_WORDS,
  NOT_ITS_TURN_WORDS,
} from "./kernel.ts";
import { isOpen } from "../pacing.ts";

/**
 * The least (tunnels + 1) / weight, the new one counted; equals take turns, starting after the last row
 * taken. Quotients are compared by their cross products, which doubles hold exactly.
 */
function leastConnections(table: PickTable, tried: Tried | null, choice: Choice): number {
  const words = table.words;
  const rows = table.rows;
  const last = Atomics.load(words, CURSOR);
  let best = NO_ROW;
  let bestTunnels = 0;
  let bestWeight = 1;
  let second = NO_ROW;
  let secondTunnels = 0;
  let secondWeight = 1;
  for (let step = 1; step <= rows; step++) {
    const row = (last + step) % rows;
    const at = HEADER_WORDS + row * ROW_WORDS;
    if (!isOpen(words, at, row, tried, choice)) continue;
    const tunnels = words[at + ACTIVE]! + 1;
    const weight = weightOf(words, at);
    if (best === NO_ROW || tunnels * bestWeight < bestTunnels * weight) {
      second = best;
      secondTunnels = bestTunnels;
      secondWeight = bestWeight;
      best = row;
      bestTunnels = tunnels;
      bestWeight = weight;
    } else if (second === NO_ROW || tunnels * secondWeight < secondTunnels * weight) {
      second = row;
      secondTunnels = tunnels;
      secondWeight = weight;
    }
  }
  choice.runnerUp = second;
  choice.active = bestTunnels - 1;
  if (best !== NO_ROW) Atomics.store(words, CURSOR, best);
  return best;
}

export const LEAST_CONNECTIONS = defineKernel({
  name: "least_connections",
  number: 2,
  run: (table, tried, _random, choice) => leastConnections(table, tried, choice),
  compares: true,
  paces: true,
  scores: false,
  why: { fewest: FEWEST_WORDS },
  outcomes: { more_sessions: MORE_SESSIONS_WORDS, not_its_turn: NOT_ITS_TURN_WORDS },
  whyOf: () => "fewest",
  outcomeOf: (row, winner) => holdsMore(row, winner) ? "more_sessions" : "not_its_turn",
});
