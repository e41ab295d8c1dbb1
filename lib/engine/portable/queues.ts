// The portable engine's clients in the queues of pools (core/dial/pool_queue.ts): those that are the first in
// theirs look for a place every few milliseconds, those whose time is over are told, and those that are gone
// are found out.

import { firstInQueue, NOBODY } from "../../core/dial/pool_queue.ts";
import type { PickTable } from "../../core/pick/pick_table.ts";

/** How soon the first of a queue looks again. */
const LOOK_MS = 10;
/** How often it is found out whether a client is there still, and it closes up to the next. */
const PRESENCE_MS = 500;
const NOTHING = new Uint8Array(0);

/** A client in a queue, whichever way it is searched for. */
export interface Queued {
  /** By what queues know it. */
  readonly number: number;
  readonly plan: { readonly table: PickTable } | undefined;
}

/** What the search for a backend says of a client in a queue; see DialPolicy. */
export interface QueueSearch<C extends Queued> {
  look(client: C): number;
  replan(client: C): number;
  queueOver(client: C): number;
  queueEndMs(client: C): number;
  /** The client is gone. */
  left(client: C): number;
  /** The client keeps no more room in its queue than it needs. */
  closeUp(client: C): void;
}

interface Waiting<C> {
  readonly client: C;
  readonly conn: Deno.Conn;
  readonly resolve: (action: number) => void;
  lookedAtMs: number;
}

export class Queues<C extends Queued> {
  readonly #search: QueueSearch<C>;
  /** The action that leaves a client where it is. */
  readonly #stay: number;
  readonly #now: () => number;
  readonly #waiting = new Map<number, Waiting<C>>();
  #ticker: ReturnType<typeof setInterval> | undefined;

  constructor(search: QueueSearch<C>, stay: number, now: () => number) {
    this.#search = search;
    this.#stay = stay;
    this.#now = now;
  }

  /** Resolves, once a client that has entered a queue is out of it, with what is to be done. */
  wait(client: C, conn: Deno.Conn): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#waiting.set(client.number, { client, conn, resolve, lookedAtMs: this.#now() });
    this.#ticker ??= setInterval(() => this.#turn(), LOOK_MS);
    return promise;
  }

  /** Plans may have changed. */
  replan(): void {
    for (const one of [...this.#waiting.values()]) {
      this.#act(one, this.#search.replan(one.client));
    }
  }

  /** Everybody's wait ends now: who asked is to know why. */
  end(): void {
    for (const one of [...this.#waiting.values()]) this.#release(one);
  }

  #turn(): void {
    const now = this.#now();
    const tables = new Set<PickTable>();
    for (const one of [...this.#waiting.values()]) {
      const { client } = one;
      if (now >= this.#search.queueEndMs(client)) this.#act(one, this.#search.queueOver(client));
      else if (client.plan !== undefined) tables.add(client.plan.table);
      if (now - one.lookedAtMs >= PRESENCE_MS) {
        one.lookedAtMs = now;
        if (client.plan !== undefined) this.#search.closeUp(client);
        void this.#findOut(one);
      }
    }
    for (const table of tables) this.#lookInto(table);
  }

  #lookInto(table: PickTable): void {
    let last = NOBODY;
    for (let who = firstInQueue(table); who !== last; who = firstInQueue(table)) {
      const one = this.#waiting.get(who);
      if (one === undefined) return;
      last = who;
      this.#act(one, this.#search.look(one.client));
    }
  }

  /** Writes nothing: the system says of a connection that was reset that nobody takes it. */
  async #findOut(one: Waiting<C>): Promise<void> {
    try {
      await one.conn.write(NOTHING);
    } catch {
      if (this.#waiting.get(one.client.number) === one) {
        this.#act(one, this.#search.left(one.client));
      }
    }
  }

  #act(one: Waiting<C>, action: number): void {
    if (action !== this.#stay) this.#release(one, action);
  }

  #release({ client, resolve }: Waiting<C>, action: number = this.#stay): void {
    this.#waiting.delete(client.number);
    if (this.#waiting.size === 0) {
      clearInterval(this.#ticker);
      this.#ticker = undefined;
    }
    resolve(action);
  }
}
