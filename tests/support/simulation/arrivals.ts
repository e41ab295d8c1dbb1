// When the sessions of a stream come, and which clients they come from: by chance, in trains as scripts
// make them, or as a log recorded them.
//
// `!` on typed-array reads: indices are below the arrays' length by construction.

import type { Chance } from "../chance.ts";
import { clientOf } from "./clients.ts";
import type { Behaviour } from "./workload.ts";

/** One client's sessions one after another, as a script makes them; trains begin as a Poisson stream. */
export interface Train {
  /** Mean number of sessions of a train (geometric); 1 or more. */
  readonly meanSessions: number;
  /** Mean time from one session of a train to the next (exponential). */
  readonly gapSeconds: number;
}

/** Sessions of a log: one element of each column a session, in the order of `at`. */
export interface Recorded {
  /** Seconds from the simulation's start. */
  readonly at: Float64Array;
  /** Clients from 0 on. */
  readonly clients: Int32Array;
}

/** Sessions that come; a Poisson stream of single sessions unless more is told. */
export interface Stream {
  /** With `recorded`, sessions have their number in the log for a key. */
  readonly behaviour: Behaviour;
  /** Sessions a second, over all servers and balancers; with `recorded` the log says it. */
  readonly rate: number;
  readonly train?: Train;
  readonly recorded?: Recorded;
  /**
   * Absent: a balancer places them. Otherwise they come to the servers directly, each server with a
   * chance in proportion to its number here.
   */
  readonly direct?: readonly number[];
}

/** Walks through one stream's sessions. */
export class Arrivals {
  readonly chance: Chance;
  readonly #stream: Stream;
  readonly #directSum: number;
  /** Mean time from a train's last session to the next train. */
  readonly #restSeconds: number;
  #came = 0;
  #client = 0;
  /** Whether the session that comes next belongs to the train of the last. */
  #goesOn = false;

  /** @throws {RangeError} when so many sessions a second leave no time between trains. */
  constructor(stream: Stream, chance: Chance) {
    this.chance = chance;
    this.#stream = stream;
    this.#directSum = stream.direct?.reduce((sum, part) => sum + part, 0) ?? 0;
    const { meanSessions, gapSeconds } = stream.train ?? { meanSessions: 1, gapSeconds: 0 };
    this.#restSeconds = meanSessions / stream.rate - (meanSessions - 1) * gapSeconds;
    if (this.#restSeconds < 0) {
      throw new RangeError(
        `Cannot send ${stream.rate} sessions/s in trains of ${meanSessions}, ${gapSeconds} s apart: ` +
          "expected fewer sessions, or more streams",
      );
    }
  }

  /** When the session after the last comes; Infinity: none does. */
  next(now: number): number {
    const { rate, train, recorded } = this.#stream;
    if (recorded !== undefined) return recorded.at[this.#came] ?? Infinity;
    if (rate === 0) return Infinity;
    if (train === undefined) return now + this.chance.exponential(1 / rate);
    this.#goesOn = this.#came > 0 && this.chance.next() >= 1 / train.meanSessions;
    return now + this.chance.exponential(this.#goesOn ? train.gapSeconds : this.#restSeconds);
  }

  /** Counts the session that comes now. @returns its key, which is `key` unless a log has it. */
  come(key: number): number {
    const { recorded } = this.#stream;
    const number = this.#came++;
    if (recorded === undefined) {
      if (!this.#goesOn) this.#client = clientOf(key);
      return key;
    }
    this.#client = recorded.clients[number]!;
    return number;
  }

  /** Who the session that has just come is from. */
  get client(): number {
    return this.#client;
  }

  /** The server that a session comes to directly; undefined: a balancer places it. */
  direct(uniform: number): number | undefined {
    const { direct } = this.#stream;
    if (direct === undefined) return undefined;
    let left = uniform * this.#directSum;
    let server = 0;
    while (server < direct.length - 1 && left >= direct[server]!) left -= direct[server++]!;
    return server;
  }
}
