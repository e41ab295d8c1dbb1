// Reads the workers' rings for the engine's one reader of events. The rings themselves are the queue: what
// is not read in time is dropped by the workers, and counted. Sleeps while nothing happens; under load it
// looks fifty or a hundred times a second rather than being woken for each record. Runs on the control plane.

import type { Clock } from "../../core/timing/clock.ts";
import type { EngineListener } from "../engine.ts";
import { PickStore } from "../pick_store.ts";
import { EventDecoder, type Names } from "./events.ts";
import { PickJoin } from "./pick_join.ts";
import { oldest, RecordCursor, type RingReader } from "./ring.ts";

/** How long the reader rests after it has read everything, so that records come in batches. */
const REST_MS = 10;
/**
 * The same after a batch of many. Each rest costs some 80 us (timer, promises, the write of the log and its
 * answer), whatever is read: at 10 ms, two fifths of what the control plane took at 7,000 connections a second.
 */
const BUSY_REST_MS = 20;
/** Records that are many: 3,000 connections a second. */
const MANY = 90;
/** Records that share one reading of the clock: less than a millisecond's. */
const SAME_TIME = 64;

/** Where the rings are. */
export interface Rings {
  rings(): RingReader[];
  /** Asks to be woken once when there are events, or takes the wish back. */
  wantEvents(wanted: boolean): void;
}

export class EventReader {
  readonly #source: Rings;
  readonly #clock: Clock;
  readonly #record = new RecordCursor();
  readonly #end = new AbortController();
  readonly #store = new PickStore();
  readonly #decoder: EventDecoder;
  readonly #joins = new WeakMap<RingReader, PickJoin>();
  #wake = () => {};

  constructor(source: Rings, names: Names, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
    this.#decoder = new EventDecoder(names, this.#store, this.#record);
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

  /** Calls the listener for every event until the end. */
  async deliver(listener: EngineListener): Promise<void> {
    for (let rested = false;;) {
      const ended = this.#end.signal.aborted;
      const count = this.read(listener);
      if (count > 0) rested = false;
      else if (ended) return;
      else if (rested) {
        await this.#sleep();
        continue;
      }
      rested = true;
      await this.#rest(count < MANY ? REST_MS : BUSY_REST_MS);
    }
  }

  /** Calls the listener for every event that is there. @returns how many records there were. */
  read(listener: EngineListener): number {
    const rings = this.#source.rings();
    let nowMs = 0;
    for (let count = 0;; count++) {
      const ring = oldest(rings);
      if (ring === undefined || !ring.take(this.#record)) return count;
      if (count % SAME_TIME === 0) nowMs = this.#clock.now();
      const event = this.#decoder.read(this.#joinOf(ring));
      if (event !== undefined) listener(event, nowMs);
    }
  }

  #joinOf(ring: RingReader): PickJoin {
    let join = this.#joins.get(ring);
    if (join === undefined) this.#joins.set(ring, join = new PickJoin(this.#store));
    return join;
  }

  async #rest(ms: number): Promise<void> {
    try {
      await this.#clock.sleep(ms, this.#end.signal);
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
