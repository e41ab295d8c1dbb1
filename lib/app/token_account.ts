// What has become of each token of a pool: it waits in the ring (core/pick/tokens.ts), is with a client, or is
// over, which its feed is to be told. Threads that pick tell nothing: it is worked out from the ring's head and
// from how many sessions each backend has.

import { type PickTable, TOKEN_HEAD } from "../core/pick/pick_table.ts";
import { putToken, takeAllTokens } from "../core/pick/tokens.ts";

/** A token for a backend. */
export interface Token {
  /** The backend's. */
  readonly id: string;
}

/** A thread takes a token first and counts its session then: it may be preempted in between. */
const GRACE_MS = 50;

export class TokenAccount<T extends Token> {
  readonly #table: PickTable;
  /** Those in the ring, from its head on, as it stood when it was looked at last. */
  readonly #waiting: T[] = [];
  #head: number;
  /** Those that clients have taken, by backend; the longest taken first. */
  readonly #taken = new Map<string, { readonly token: T; readonly sinceMs: number }[]>();

  constructor(table: PickTable) {
    this.#table = table;
    this.#head = Atomics.load(table.words, TOKEN_HEAD);
  }

  /** Tokens in the ring when it was looked at last. */
  get waiting(): readonly T[] {
    return this.#waiting;
  }

  /** The ring's head as it stood when it was looked at last. */
  get head(): number {
    return this.#head;
  }

  /** Whether a token of the backend is with a client. */
  isTaken(id: string): boolean {
    return this.#taken.has(id);
  }

  /** Puts a token into the ring. @returns false: there is no room. */
  put(token: T, row: number): boolean {
    if (!putToken(this.#table, row)) return false;
    this.#waiting.push(token);
    return true;
  }

  /** Looks which tokens have been taken. */
  look(nowMs: number): T[] {
    const head = Atomics.load(this.#table.words, TOKEN_HEAD);
    const taken = this.#waiting.splice(0, head - this.#head | 0);
    this.#head = head;
    for (const token of taken) this.#take(token, nowMs);
    return taken;
  }

  /** Tells which tokens that were taken are over. @param activeOf how many sessions a backend has. */
  settle(nowMs: number, activeOf: (id: string) => number): T[] {
    const over: T[] = [];
    for (const [id, taken] of this.#taken) {
      let surplus = taken.length - activeOf(id);
      if (surplus <= 0) continue;
      const isOld = ({ sinceMs }: { readonly sinceMs: number }) => nowMs - sinceMs >= GRACE_MS;
      const ended = taken.filter((one) => isOld(one) && surplus-- > 0);
      if (ended.length === 0) continue;
      over.push(...ended.map(({ token }) => token));
      const left = taken.filter((one) => !ended.includes(one));
      if (left.length === 0) this.#taken.delete(id);
      else this.#taken.set(id, left);
    }
    return over;
  }

  /** Takes all tokens out of the ring. */
  withdraw(nowMs: number): T[] {
    const head = takeAllTokens(this.#table);
    for (const token of this.#waiting.splice(0, head - this.#head | 0)) this.#take(token, nowMs);
    this.#head = Atomics.load(this.#table.words, TOKEN_HEAD);
    return this.#waiting.splice(0);
  }

  #take(token: T, sinceMs: number): void {
    const taken = this.#taken.get(token.id);
    if (taken === undefined) this.#taken.set(token.id, [{ token, sinceMs }]);
    else taken.push({ token, sinceMs });
  }
}
