// first: fills one backend before it begins with the next, in the order of lb.conf, so that those at the
// end can sleep.
//
// `!` on typed-array reads: indices are below the table's row count by construction.

import { type Choice, NO_ROW, type Tried } from "../choice.ts";
import {
  ACTIVE,
  COST_MILLI_CORES,
  freeNow,
  HEADER_WORDS,
  ORDER,
  type PickTable,
  ROW_WORDS,
  UNKNOWN_FREE,
} from "../pick_table.ts";
import { mostFree } from "./most_free.ts";
import { isOpen } from "./pace.ts";

/**
 * The first candidate with room. A backend with a load has room while, with the session's expected cost
 * taken off, some of its cores are still free. One without a load is as good as full while another has
 * one; while none has, all that limits it is max_connections. Without room anywhere: the most free.
 */
export function first(
  table: PickTable,
  tried: Tried | null,
  random: number,
  choice: Choice,
): number {
  const words = table.words;
  const rows = table.rows;
  let roomy = NO_ROW;
  let roomyOrder = 0;
  let unknown = NO_ROW;
  let unknownOrder = 0;
  let isKnown = false;
  for (let row = 0; row < rows; row++) {
    const at = HEADER_WORDS + row * ROW_WORDS;
    if (!isOpen(words, at, row, tried, choice)) continue;
    const order = words[at + ORDER]!;
    const free = freeNow(words, at);
    if (free === UNKNOWN_FREE) {
      if (unknown !== NO_ROW && order >= unknownOrder) continue;
      unknown = row;
      unknownOrder = order;
      continue;
    }
    isKnown = true;
    if (free - words[at + COST_MILLI_CORES]! <= 0) continue;
    if (roomy !== NO_ROW && order >= roomyOrder) continue;
    roomy = row;
    roomyOrder = order;
  }
  const chosen = isKnown ? roomy : unknown;
  if (chosen === NO_ROW) return mostFree(table, tried, random, choice);
  choice.active = words[HEADER_WORDS + chosen * ROW_WORDS + ACTIVE]!;
  return chosen;
}
