// The clients of a small server: a bounded number at a time, each for a bounded time. When all places are
// taken, a new client waits until one is free, or until somebody has kept a place longer than it takes to ask:
// so slow clients cannot keep others out, and many at once do not push each other out.

import { closeQuietly } from "./accept_loop.ts";
import type { Clock } from "../timing/clock.ts";

/** A client that is silent for so long gives way: one that means to ask has done so by then. */
export const PATIENCE_MS = 100;

/** What a client's conversation tells of itself. */
export interface Conversation {
  /** The client has asked: to answer is up to the server, and the client keeps its place meanwhile. */
  asked(): void;
  /** The client has taken a piece of its answer. */
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
  /** How long a client may stay, whatever it does, and after how long one that has asked gives way. */
  readonly limitMs: number;
  /** Talks to a client until its connection is closed; may reject. */
  readonly serve: (conn: C, conversation: Conversation) => Promise<void>;
}

export class ServedClients<C extends { close(): void }> implements AsyncDisposable {
  readonly #options: ServedClientsOptions<C>;
  /** Those that have a place, and until when nobody takes it; the one that has waited longest first. */
  readonly #places = new Map<C, number>();
  readonly #serving = new Set<Promise<void>>();
  /** Aborted when a place may be had earlier than was to be expected. */
  #news = new AbortController();
  #ended = false;

  constructor(options: ServedClientsOptions<C>) {
    this.#options = options;
  }

  /**
   * Serves a connection and closes it.
   * @returns what resolves when it has a place: who comes next waits until then.
   */
  async admit(conn: C): Promise<void> {
    const { clock, most } = this.#options;
    while (!this.#ended && this.#places.size >= most) {
      const [first, untilMs] = this.#firstToGo();
      const leftMs = untilMs - clock.now();
      if (leftMs > 0) await clock.sleep(leftMs, this.#news.signal).catch(() => {});
      else if (this.#places.delete(first)) closeQuietly(first);
    }
    if (this.#ended) return closeQuietly(conn);
    this.#keep(conn, PATIENCE_MS);
    const served = this.#serve(conn).finally(() => this.#serving.delete(served));
    this.#serving.add(served);
  }

  /** Hangs up on everybody. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    for (const conn of this.#places.keys()) closeQuietly(conn);
    this.#tell();
    await Promise.all(this.#serving);
  }

  #firstToGo(): readonly [C, number] {
    return [...this.#places].reduce((first, one) => one[1] < first[1] ? one : first);
  }

  /** Nobody takes the place of this client, if it has one, for so long from now on. */
  #keep(conn: C, ms: number): void {
    this.#places.delete(conn);
    this.#places.set(conn, this.#options.clock.now() + ms);
  }

  #tell(): void {
    this.#news.abort();
    this.#news = new AbortController();
  }

  /** Never rejects: a client that breaks off is no failure. */
  async #serve(conn: C): Promise<void> {
    const { clock, limitMs, serve } = this.#options;
    let finished = new AbortController();
    const deadlines: Promise<void>[] = [];
    const allow = (ms: number) => {
      finished.abort();
      finished = new AbortController();
      deadlines.push(clock.sleep(ms, finished.signal).then(() => closeQuietly(conn), () => {}));
    };
    const keep = (ms: number) => {
      // Another may have taken its place.
      if (this.#places.has(conn)) this.#keep(conn, ms);
    };
    allow(limitMs);
    try {
      await serve(conn, {
        asked: () => keep(limitMs),
        progressed: () => keep(PATIENCE_MS),
        answered: () => {
          keep(-Infinity);
          this.#tell();
        },
        allow,
      });
    } catch {
      // It has left, was too slow, or has given way; or there is nothing to answer with.
    } finally {
      if (this.#places.delete(conn)) this.#tell();
      finished.abort();
      closeQuietly(conn);
      await Promise.all(deadlines);
    }
  }
}
