// source_hash: every client has an order of backends of its own, and gets the first of them that holds
// no more than its share. Who comes back lands where it was. The order is rendezvous hashing of the row's
// IDENTITY and the client's Source (core/pick/source.ts: from a sockaddr or from text the same).
//
// `!` on typed-array reads: indices are below the table's row count by construction.

import { type Choice, NO_ROW, type Tried } from "../choice.ts";
import {
  ACTIVE,
  HASH_BALANCE,
  HEADER_WORDS,
  IDENTITY,
  type PickTable,
  ROW_WORDS,
  WEIGHTED,
} from "../pick_table.ts";
import { mixWords } from "../source.ts";
import { isCandidate, weightOf } from "../candidate.ts";
import { defineKernel } from "./kernel.ts";

const WORD = 2 ** 32;

/**
 * Rendezvous hashing (Thaler and Ravishankar, 1998): the least −ln(u) / weight, u in (0, 1) drawn by a
 * hash of client and backend. A backend that joins or leaves moves its own share of clients only.
 *
 * With bounded loads (Mirrokni, Thorup and Zadimoghaddam, 2016): with HASH_BALANCE percent, a backend
 * is passed over once it holds ceil(balance × (tunnels in all + 1) × its share of the weights).
 */
function sourceHash(
  table: PickTable,
  tried: Tried | null,
  source: number,
  choice: Choice,
): number {
  const words = table.words;
  const rows = table.rows;
  const balance = words[HASH_BALANCE]!;
  const isWeighted = words[WEIGHTED] !== 0;
  let weights = 0;
  let tunnels = 1;
  if (balance > 0) {
    for (let row = 0; row < rows; row++) {
      const at = HEADER_WORDS + row * ROW_WORDS;
      if (!isCandidate(words, at, row, tried, choice.reach)) continue;
      weights += weightOf(words, at);
      tunnels += words[at + ACTIVE]!;
    }
  }
  // A count is below ceil(x) where it is below x; both sides × 100 × weights.
  const perWeight = balance * tunnels;
  const perTunnel = 100 * weights;
  let best = NO_ROW;
  let bestRank = Infinity;
  let next = NO_ROW;
  let nextRank = Infinity;
  let crowded = NO_ROW;
  let crowdedRank = Infinity;
  for (let row = 0; row < rows; row++) {
    const at = HEADER_WORDS + row * ROW_WORDS;
    if (!isCandidate(words, at, row, tried, choice.reach)) continue;
    const weight = weightOf(words, at);
    const u = ((mixWords(source, words[at + IDENTITY]!) >>> 0) + 0.5) / WORD;
    // 1 − u is the least that −ln(u) can be: nearly every row is out of the race by that alone.
    let rank = 1 - u;
    if (isWeighted) {
      rank /= weight;
      if (rank < nextRank) rank = -Math.log(u) / weight;
    }
    if (balance > 0 && words[at + ACTIVE]! * perTunnel >= perWeight * weight) {
      // All are at their limit only while another thread changes the counts.
      if (rank < crowdedRank) {
        crowded = row;
        crowdedRank = rank;
      }
    } else if (rank < bestRank) {
      next = best;
      nextRank = bestRank;
      best = row;
      bestRank = rank;
    } else if (rank < nextRank) {
      next = row;
      nextRank = rank;
    }
  }
  const chosen = best === NO_ROW ? crowded : best;
  choice.runnerUp = best === NO_ROW ? NO_ROW : next;
  if (chosen !== NO_ROW) choice.active = words[HEADER_WORDS + chosen * ROW_WORDS + ACTIVE]!;
  return chosen;
}

export const SOURCE_HASH = defineKernel({
  name: "source_hash",
  number: 5,
  run: (table, tried, _random, choice, source) => sourceHash(table, tried, source, choice),
  compares: true,
  // Clients have their places there, so nobody is sent elsewhere to pace a backend.
  paces: false,
  scores: false,
  why: {
    hash: {
      headline: "{free}the place of this client's address {where}",
      notChosen: "later in this client's order, or above its share",
    },
  },
  outcomes: { not_chosen: { text: "not chosen" } },
  whyOf: () => "hash",
  outcomeOf: () => "not_chosen",
});
