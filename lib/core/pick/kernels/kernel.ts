// What a kernel is: a loop over a PickTable that chooses a row, with the words for what it chose. To add one,
// write a file beside this one that exports a descriptor, and add that to registry.ts.

import type { Choice, Tried } from "../choice.ts";
import type { PickTable } from "../pick_table.ts";

/** One backend as a snapshot shows it to the kernel that is to say why it won or lost. */
export interface SeenRow {
  /** Milli-cores; UNKNOWN_FREE when nobody knows. */
  readonly free: number;
  /** Tunnels, the new one not counted. */
  readonly active: number;
  /** In WEIGHT_UNIT. */
  readonly weight: number;
  /** Its place in the order of the configuration. */
  readonly order: number;
  /** Whether its score is as good as the best. */
  readonly isNearBest: boolean;
  /** Whether new logins of a burst were counted against it. */
  readonly isCharged: boolean;
  /** Whether the kernel named it as the best of the others. */
  readonly isRunnerUp: boolean;
}

/** How people are told of a word that says why a backend won. */
export interface WhyWords {
  /**
   * Behind "-> BACKEND: ", with {free} for its free cores and a comma, {sessions} for how many it has,
   * {most} for "most" where the next has no more free cores and "best" where it has, {where} for the
   * pool, and {next} for the best of those that lost.
   */
  readonly headline: string;
  /** Instead of "not chosen", where all others lost alike. */
  readonly notChosen?: string;
}

/** How people are told of a word that says why a backend lost. */
export interface OutcomeWords {
  readonly text: string;
  /** Whether it was near to winning, so that a headline may name it as the next. */
  readonly isNext?: boolean;
}

export interface Kernel<
  Name extends string = string,
  Why extends string = string,
  Outcome extends string = string,
> {
  readonly name: Name;
  /** Stands for the kernel in tables, records of picks and snapshots: its place in KERNELS. */
  readonly number: number;
  /**
   * Chooses a row; allocates nothing. Runs per connection, in every thread that picks.
   * @param random in [0, 1). @param source a hash of where the client comes from.
   * @returns the row, or NO_ROW.
   */
  readonly run: (
    table: PickTable,
    tried: Tried | null,
    random: number,
    choice: Choice,
    source: number,
  ) => number;
  /** Whether it compares counts and leaves the winner's in the choice: its place is taken as it was seen. */
  readonly compares: boolean;
  /** Whether rows with many young connections stand back; not where clients have places of their own. */
  readonly paces: boolean;
  /** Whether it leaves a score for each row in the choice. */
  readonly scores: boolean;
  /** Whether a client is to wait where there is no row for it, whoever has a place. Absent: for a place alone. */
  readonly waitsForMore?: true;
  /** The words that say why the winner won, where it was not the only one. */
  readonly why: Readonly<Record<Why, WhyWords>>;
  /** The words that say why a backend lost that could have been chosen. */
  readonly outcomes: Readonly<Record<Outcome, OutcomeWords>>;
  /** @param nearBest how many candidates have a score as good as the best, the winner counted. */
  readonly whyOf: (winner: SeenRow, nearBest: number) => Why;
  readonly outcomeOf: (row: SeenRow, winner: SeenRow) => Outcome;
}

/** Gives a descriptor its type, with the names of its words. */
export function defineKernel<Name extends string, Why extends string, Outcome extends string>(
  kernel: Kernel<Name, Why, Outcome>,
): Kernel<Name, Why, Outcome> {
  return kernel;
}

/** Whether a backend holds more tunnels for its weight than the winner, the new one counted. */
export function holdsMore(row: SeenRow, winner: SeenRow): boolean {
  return (row.active + 1) * winner.weight > (winner.active + 1) * row.weight;
}

// Words that several kernels use.
export const MOST_FREE_WORDS: WhyWords = { headline: "{free}{most} {where}{next}" };
export const FEWEST_WORDS: WhyWords = { headline: "{sessions}, fewest {where}{next}" };
export const CHANCE_WORDS: WhyWords = { headline: "drawn by chance {where}" };
/** As good as the winner; chance took the other. */
export const NEAR_EQUAL_WORDS: OutcomeWords = {
  text: "as good; chance took the other",
  isNext: true,
};
export const LESS_FREE_WORDS: OutcomeWords = { text: "fewer cores free", isNext: true };
export const MORE_SESSIONS_WORDS: OutcomeWords = { text: "more sessions", isNext: true };
export const NOT_ITS_TURN_WORDS: OutcomeWords = { text: "not its turn" };
export const NOT_DRAWN_WORDS: OutcomeWords = { text: "not drawn" };
export const LOAD_UNKNOWN_WORDS: OutcomeWords = { text: "its load is not known" };
