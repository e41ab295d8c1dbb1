// Frontends that are full and whose clients wait in the kernel's queue. A worker that finds one full watches its
// sockets no more, so that nothing turns meanwhile. The kernel told that worker alone of the clients who wait, so
// whichever worker next sees a free place, most often the one whose session has ended, watches the sockets anew:
// the kernel then tells it of all who wait.
//
// All methods run in the worker.
//
// `!` on array reads: indices are below the list's length.

import type { ListenerSpec } from "./control_messages.ts";
import { FRONTEND_QUEUE, QUEUES } from "./layout.ts";
import type { Ledger } from "./ledger.ts";
import type { Poller } from "./poller.ts";

/** A frontend with a limit at which clients wait. */
interface Limited {
  readonly frontend: number;
  readonly most: number;
  readonly sockets: { readonly fd: number; readonly id: number }[];
  /** Whether this worker watches its sockets. */
  isWatched: boolean;
  /** Which of its sockets the kernel tells of first. */
  first: number;
}

export class FullFrontends {
  readonly #engine: Int32Array;
  readonly #ledger: Ledger;
  readonly #poller: Poller;
  #limited: Limited[] = [];
  #unwatched = 0;

  /** @param engine the words that all workers share. */
  constructor(engine: Int32Array, ledger: Ledger, poller: Poller) {
    this.#engine = engine;
    this.#ledger = ledger;
    this.#poller = poller;
  }

  /** These are open from now on. */
  listen(specs: readonly ListenerSpec[]): void {
    const limited = new Map<number, Limited>();
    for (const { frontend, maxConnections: most, waitsWhenFull, fd, id } of specs) {
      if (most === 0 || !waitsWhenFull) continue;
      const known = limited.get(frontend) ?? {
        frontend,
        most,
        sockets: [],
        isWatched: true,
        first: 0,
      };
      known.sockets.push({ fd, id });
      limited.set(frontend, known);
    }
    this.#limited = [...limited.values()];
    this.#unwatched = 0;
  }

  /** All sockets are watched anew. */
  watchedAnew(): void {
    for (const one of this.#limited) one.isWatched = true;
    this.#unwatched = 0;
  }

  /**
   * A client may wait and there is no place for it: watches the frontend's sockets no more.
   * @returns false when a place has become free.
   */
  park(frontend: number): boolean {
    for (let i = 0; i < this.#limited.length; i++) {
      const one = this.#limited[i];
      if (one?.frontend !== frontend) continue;
      if (Atomics.exchange(this.#engine, FRONTEND_QUEUE + frontend, 1) === 0) {
        Atomics.add(this.#engine, QUEUES, 1);
      }
      // Whoever gave a place back before that was said may not have heard of it.
      if (this.#ledger.hasRoom(frontend, one.most)) return false;
      for (const { fd } of one.sockets) this.#poller.remove(fd);
      if (one.isWatched) this.#unwatched++;
      one.isWatched = false;
      return true;
    }
    return true;
  }

  /** Watches anew where a place has become free. Called before every sleep of a worker that accepts. */
  resume(): void {
    if (this.#unwatched === 0 && Atomics.load(this.#engine, QUEUES) === 0) return;
    for (let i = 0; i < this.#limited.length; i++) {
      const one = this.#limited[i];
      if (one === undefined || !this.#ledger.hasRoom(one.frontend, one.most)) continue;
      const mayWait = this.#takeQueue(one.frontend);
      if (one.isWatched && !mayWait) continue;
      const { sockets } = one;
      // In turn: who comes to the first would take every place, and who waits at another would wait for ever.
      one.first = (one.first + 1) % sockets.length;
      for (let n = 0; n < sockets.length; n++) {
        const { fd, id } = sockets[(one.first + n) % sockets.length]!;
        if (one.isWatched) this.#poller.remove(fd);
        this.#poller.addListener(fd, id);
      }
      if (!one.isWatched) this.#unwatched--;
      one.isWatched = true;
    }
  }

  /** Takes it on to look after those who may wait at a frontend. @returns whether there may be some. */
  #takeQueue(frontend: number): boolean {
    const at = FRONTEND_QUEUE + frontend;
    if (Atomics.load(this.#engine, at) === 0) return false;
    if (Atomics.exchange(this.#engine, at, 0) === 0) return false;
    Atomics.sub(this.#engine, QUEUES, 1);
    return true;
  }
}
