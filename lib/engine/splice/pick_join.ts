// Puts picks together with what came of them: a worker's records tell each pick when it is made, and
// whether it was of use later. One join per worker's ring, where a client's records come in order.
// Runs on the control plane.
//
// `!` on typed-array reads: `#room` has made the slot.

import type { FailureKind } from "../../core/values/errors.ts";
import { NO_PICK, type PickStore } from "../pick_store.ts";

export class PickJoin {
  readonly #store: PickStore;
  /** By slot: which client is in it (0: none), and the place of its last pick. */
  #serials = new Int32Array(64);
  #places = new Float64Array(64);

  constructor(store: PickStore) {
    this.#store = store;
  }

  /** The last pick for the client in a slot; NO_PICK before its first. */
  last(slot: number, serial: number): number {
    // The slot's earlier client, whose end may have been lost, has another serial.
    const known = slot >= 0 && serial !== 0 && this.#serials[slot] === serial;
    return known ? this.#places[slot]! : NO_PICK;
  }

  /** A pick was made for the client in a slot. */
  add(slot: number, serial: number, place: number): void {
    if (slot >= this.#serials.length) this.#grow(slot + 1);
    this.#serials[slot] = serial;
    this.#places[slot] = place;
  }

  /** Its last pick did not take the connection. */
  failed(slot: number, serial: number, failure: FailureKind): void {
    const place = this.last(slot, serial);
    if (place !== NO_PICK) this.#store.failed(place, failure);
  }

  /** The last pick for a client that has its tunnel, or gets none; forgets it. */
  take(slot: number, serial: number): number {
    const place = this.last(slot, serial);
    if (slot >= 0 && slot < this.#serials.length) this.#serials[slot] = 0;
    return place;
  }

  #grow(needed: number): void {
    const length = Math.max(needed, 2 * this.#serials.length);
    const serials = new Int32Array(length);
    serials.set(this.#serials);
    this.#serials = serials;
    const places = new Float64Array(length);
    places.set(this.#places);
    this.#places = places;
  }
}
