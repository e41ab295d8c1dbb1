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
import {
  defineKernel,
  LESS_FREE_WORDS,
  LOAD_UNKNOWN_WORDS,
  MOST_FREE_WORDS,
  NEAR_EQUAL_WORDS,
  type SeenRow,
} from "./kernel.ts";
import { mostFree } from "./most_free.ts";
import { isOpen } from "../pacing.ts";

/**
 * The first candidate with room. A backend with a load has room while, with the session's expected cost
 * taken off, some of its cores are still free. One without a load is as good as full while another has
 * one; while none has, all that limits it is max_connections. Without room anywhere: the most free.
 */
function first(
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

export const FIRST = defineKernel({
  name: "first",
  number: 6,
  run: first,
  compares: true,
  paces: true,
  scores: false,
  why: {
    first_with_room: { headline: "{free}the first with room {where}" },
    most_free: MOST_FREE_WORDS,
  },
  outcomes: {
    /** Stands further down the list. */
    later: { text: "further down the list" },
    /** Stands further up the list, without room. */
    no_room: { text: "no room" },
    less_free: LESS_FREE_WORDS,
    near_equal: NEAR_EQUAL_WORDS,
    load_unknown: LOAD_UNKNOWN_WORDS,
  },
  whyOf: (winner) => hadRoom(winner) ? "first_with_room" : "most_free",
  outcomeOf: (row, winner) => {
    if (row.free === UNKNOWN_FREE && winner.free !== UNKNOWN_FREE) return "load_unknown";
    // Without room anywhere near-equals are drawn by chance.
    if (!hadRoom(winner)) return row.free <= winner.free ? "less_free" : "near_equal";
    return row.order > winner.order ? "later" : "no_room";
  },
});

/** Without room anywhere, the winner is the one with most cores free. */
function hadRoom({ free }: SeenRow): boolean {
  return free > 0 || free === UNKNOWN_FREE;
}
