// Picks as engines remember them: words in one slab of fixed size, given names and reasons only when
// somebody asks. A connection costs the control plane one small object, whatever the size of its pool.

import {
  readSnapshot,
  type Snapshot,
  snapshotKernel,
  snapshotLength,
} from "../core/decision_snapshot.ts";
import { type PickKernel } from "../core/pick_table.ts";
import type { FailureKind } from "../core/errors.ts";
import type { Endpoint, PickTrace } from "./engine.ts";

/** 1 MiB: some 2600 picks in a pool of 16, 1300 in one of 32 or more. */
const DEFAULT_WORDS = 1 << 18;

/** The last snapshots, as many as fit. */
export class SnapshotStore {
  readonly #words: Int32Array;
  /** Words that were ever written or passed over. */
  #head = 0;

  constructor(words: number = DEFAULT_WORDS) {
    this.#words = new Int32Array(words);
  }

  /** Copies the snapshot that begins at word `at`. @returns where it is. */
  put(words: Int32Array, at: number): number {
    const length = snapshotLength(words, at);
    const size = this.#words.length;
    // A snapshot stands in one piece.
    if (this.#head % size + length > size) this.#head += size - this.#head % size;
    const place = this.#head;
    const to = place % size;
    for (let i = 0; i < length; i++) this.#words[to + i] = words[at + i] ?? 0;
    this.#head += length;
    return place;
  }

  /** The kernel of a snapshot that has just been put in. */
  kernelAt(place: number): PickKernel {
    return snapshotKernel(this.#words, place % this.#words.length);
  }

  /** @returns undefined when it has been written over. */
  read(place: number, names: readonly (Endpoint | undefined)[]): Snapshot | undefined {
    const size = this.#words.length;
    return this.#head - place > size ? undefined : readSnapshot(this.#words, place % size, names);
  }
}

/** One pick whose snapshot is in a store. */
export class StoredTrace implements PickTrace {
  failure: FailureKind | undefined;
  readonly #store: SnapshotStore;
  readonly #place: number;
  readonly #names: readonly (Endpoint | undefined)[];
  readonly kernel: PickKernel;

  /** @param place where the store has just put it. @param names what stood in the rows. */
  constructor(
    readonly atMs: number,
    store: SnapshotStore,
    place: number,
    names: readonly (Endpoint | undefined)[],
  ) {
    this.#store = store;
    this.#place = place;
    this.#names = names;
    this.kernel = store.kernelAt(place);
  }

  get snapshot(): Snapshot | undefined {
    return this.#store.read(this.#place, this.#names);
  }
}
