// token: the backend that the next token names (tokens.ts). Nothing is compared here: who has made the token has.

import { isCandidate } from "../candidate.ts";
import { type Choice, NO_ROW, type Tried } from "../choice.ts";
import { ACTIVE, BACKUP_LAST, HEADER_WORDS, type PickTable, ROW_WORDS } from "../pick_table.ts";
import { discardTokens, takeToken, TOKEN_KERNEL } from "../tokens.ts";
import { defineKernel } from "./kernel.ts";

/** Tokens of backends that cannot take the client are of no use to the next one either, and are thrown away. */
function nextToken(table: PickTable, tried: Tried | null, choice: Choice): number {
  const { words } = table;
  for (;;) {
    const row = takeToken(words);
    if (row === NO_ROW) return NO_ROW;
    const at = HEADER_WORDS + row * ROW_WORDS;
    // One that is held back for want of memory was sent all the same: whoever has sent it knows of no better.
    if (row >= 0 && isCandidate(words, at, row, tried, BACKUP_LAST)) {
      choice.reach = BACKUP_LAST;
      // `!`: `at` is the start of a row of this table.
      choice.active = words[at + ACTIVE]!;
      return row;
    }
    discardTokens(words, 1);
  }
}

export const TOKEN = defineKernel({
  name: "token",
  number: TOKEN_KERNEL,
  run: (table, tried, _random, choice) => nextToken(table, tried, choice),
  compares: false,
  paces: false,
  scores: false,
  waitsForMore: true,
  why: { token: { headline: "the next token of its feed names it {where}" } },
  outcomes: { other_token: { text: "the token named another" } },
  whyOf: () => "token",
  outcomeOf: () => "other_token",
});
