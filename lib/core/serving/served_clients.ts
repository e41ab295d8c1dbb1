// The clients of a small server: a bounded number at a time, each for a bounded time. When all places are
// taken, a new client takes the place of the one that has waited longest without progress, so that slow
// clients cannot keep others out.

import { closeQuietly } from "./accept_loop.ts";
import type { Clock } from "../timing/clock.ts";

/** What a client's conversation tells of itself. */
export interface Conversation {
  /** The client has asked, or has taken a piece of its answer. */
  progressed(): void;
  /** The client has its answer: its place is the first to be given to another. */
  answered(): void;
  /** What the client has asked for takes time: it has so long from now on. */
  allow(ms: number): void;
}

export interface ServedClientsOptions<C> {
  readonly clock: Clock;
  /** The most clients at a time. */
  readonly most: number;
  /** A client is let go of after so long, whatever it does. */
  readonly limitMs: number;
  /** Talks to a client until its connection is closed; may reject. */
  readonly serve: (conn: C, conversation: Conversation) => Promise<void>;
}

export class ServedClients<C extends { close(): void }> implements AsyncDisposable {
  readonly #options: ServedClientsOptions<C>;
  /** The one that has waited longest first. */
  readonly #waiting = new Set<C>();
  readonly #answered = new Set<C>();
  readonly #serving = new Set<Promise<void>>();

  constructor(options: ServedClientsOptions<C>) {
    this.#options = options;
  }

  /** Serves a connection and closes it. */
  admit(conn: C): void {
    if (this.#waiting.size + this.#answered.size >= this.#options.most) this.#giveWay();
    this.#waiting.add(conn);
    const served = this.#serve(conn).finally(() => this.#serving.delete(served));
    this.#serving.add(served);
  }

  /** Hangs up on everybody. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const conn of [...this.#waiting, ...this.#answered]) closeQuietly(conn);
    await Promise.all(this.#serving);
  }

  #giveWay(): void {
    const [longest] = [...this.#answered, ...this.#waiting];
    if (longest === undefined) return;
    this.#forget(longest);
    closeQuietly(longest);
  }

  /** Never rejects: a client that breaks off is nobody's trouble. */
  async #serve(conn: C): Promise<void> {
    const { clock, limitMs, serve } = this.#options;
    let finished = new AbortController();
    const deadlines: Promise<void>[] = [];
    const allow = (ms: number) => {
      finished.abort();
      finished = new AbortController();
      deadlines.push(clock.sleep(ms, finished.signal).then(() => closeQuietly(conn), () => {}));
    };
    allow(limitMs);
    try {
      await serve(conn, {
        progressed: () => {
          if (this.#waiting.delete(conn)) this.#waiting.add(conn);
        },
        answered: () => {
          if (this.#waiting.delete(conn)) this.#answered.add(conn);
        },
        allow,
      });
    } catch {
      // It has left, was too slow, or has given way; or there is nothing to answer with.
    } finally {
      this.#forget(conn);
      finished.abort();
      closeQuietly(conn);
      await Promise.all(deadlines);
    }
  }

  #forget(conn: C): void {
    this.#waiting.delete(conn);
    this.#answered.delete(conn);
  }
}
