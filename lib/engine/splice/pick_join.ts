// Puts picks together with what came of them: a worker's records tell each pick when it is made, and
// whether it was of use later. One join per worker's ring, where a client's records come in order.

import type { FailureKind } from "../../core/errors.ts";
import type { PickTrace } from "../engine.ts";
import type { StoredTrace } from "../pick_trace.ts";

interface Pending {
  /** Tells the client from earlier ones in its slot, whose end may have been lost. */
  readonly serial: number;
  readonly picks: StoredTrace[];
}

export class PickJoin {
  readonly #pending = new Map<number, Pending>();

  /** A pick was made for the client in a slot. */
  add(slot: number, serial: number, trace: StoredTrace): void {
    const pending = this.#pending.get(slot);
    if (pending?.serial === serial) pending.picks.push(trace);
    else this.#pending.set(slot, { serial, picks: [trace] });
  }

  /** Its last pick did not take the connection. */
  failed(slot: number, serial: number, failure: FailureKind): void {
    const pending = this.#pending.get(slot);
    const last = pending?.picks.at(-1);
    if (pending?.serial === serial && last !== undefined) last.failure = failure;
  }

  /** Every pick for a client that has its tunnel, or gets none; forgets them. */
  take(slot: number, serial: number): readonly PickTrace[] {
    const pending = this.#pending.get(slot);
    this.#pending.delete(slot);
    return pending?.serial === serial ? pending.picks : [];
  }
}
