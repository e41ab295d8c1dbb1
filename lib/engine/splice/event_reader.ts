// Reads the workers' rings for the engine's one reader of events. The rings themselves are the queue: what
// is not read in time is dropped by the workers, and counted. Sleeps while nothing happens; under load it
// looks a hundred times a second rather than being woken for each record.

import type { Clock } from "../../core/clock.ts";
import type { EngineEvent } from "../engine.ts";
import { SnapshotStore } from "../pick_trace.ts";
import { type Names, readEvent } from "./events.ts";
import { PickJoin } from "./pick_join.ts";
import { oldest, RecordCursor, type RingReader } from "./ring.ts";

/** How long the reader rests after it has read everything, so that records come in batches. */
const REST_MS = 10;

/** Where the rings are. */
export interface Rings {
  rings(): RingReader[];
  /** Asks to be woken once when there are events, or takes the wish back. */
  wantEvents(wanted: boolean): void;
}

/** Not an async generator: one costs three turns of the microtask queue per event, this one. */
export class EventReader implements AsyncIterableIterator<EngineEvent, undefined> {
  readonly #source: Rings;
  readonly #names: Names;
  readonly #clock: Clock;
  readonly #record = new RecordCursor();
  readonly #end = new AbortController();
  readonly #snapshots = new SnapshotStore();
  readonly #joins = new WeakMap<RingReader, PickJoin>();
  #rings: readonly RingReader[] = [];
  #wake = () => {};

  constructor(source: Rings, names: Names, clock: Clock) {
    this.#source = source;
    this.#names = names;
    this.#clock = clock;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The workers have something to tell. */
  wake(): void {
    this.#wake();
  }

  /** Lets the reader finish once it has read what is there. */
  end(): void {
    this.#end.abort();
    this.#wake();
  }

  next(): Promise<IteratorResult<EngineEvent, undefined>> {
    const value = this.#take();
    return value === undefined ? this.#wait() : Promise.resolve({ value, done: false });
  }

  #take(): EngineEvent | undefined {
    for (;;) {
      const ring = oldest(this.#rings);
      if (ring === undefined || !ring.take(this.#record)) return undefined;
      const event = readEvent(this.#record, this.#names, this.#joinOf(ring), this.#snapshots);
      if (event !== undefined) return event;
    }
  }

  #joinOf(ring: RingReader): PickJoin {
    let join = this.#joins.get(ring);
    if (join === undefined) this.#joins.set(ring, join = new PickJoin());
    return join;
  }

  async #wait(): Promise<IteratorResult<EngineEvent, undefined>> {
    for (let rested = false;; rested = true) {
      const ended = this.#end.signal.aborted;
      this.#rings = this.#source.rings();
      const value = this.#take();
      if (value !== undefined) return { value, done: false };
      if (ended) return { value: undefined, done: true };
      if (rested) await this.#sleep();
      else await this.#rest();
    }
  }

  async #rest(): Promise<void> {
    try {
      await this.#clock.sleep(REST_MS, this.#end.signal);
    } catch (error) {
      if (!this.#end.signal.aborted) throw error;
    }
  }

  async #sleep(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    this.#source.wantEvents(true);
    // A record may have come between the last look and the wish.
    if (oldest(this.#source.rings()) !== undefined || this.#end.signal.aborted) resolve();
    await promise;
    this.#source.wantEvents(false);
  }
}
