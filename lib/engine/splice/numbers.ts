// The numbers by which workers and their records know what the control plane knows by name: frontends,
// pools, plans. A number is given anew when nobody can speak any more of what it stood for.
// Runs on the control plane.

interface Entry<T> {
  readonly value: T;
  /** Set when it was found left: records written before may still name it. */
  leftAt: number | undefined;
}

/** How many records have been written, and whether all of the first `count` are read. */
export interface RecordsRead {
  readonly written: number;
  isRead(count: number): boolean;
}

export class Numbers<T> {
  readonly #entries: (Entry<T> | undefined)[] = [];

  get(number: number): T | undefined {
    return this.#entries[number]?.value;
  }

  /** The number of the first value that is as asked; -1 when none is. */
  find(isIt: (value: T) => boolean): number {
    return this.#entries.findIndex((entry) => entry !== undefined && isIt(entry.value));
  }

  /** Gives the lowest free number to what is made for it. */
  add(make: (number: number) => T): number {
    const gap = this.#entries.indexOf(undefined);
    const number = gap >= 0 ? gap : this.#entries.length;
    this.#entries[number] = { value: make(number), leftAt: undefined };
    return number;
  }

  /** All that have a number. */
  *[Symbol.iterator](): IterableIterator<[number, T]> {
    for (const [number, entry] of this.#entries.entries()) {
      if (entry !== undefined) yield [number, entry.value];
    }
  }

  /** Frees the numbers of those that are left, each once all records that were written till then are read. */
  sweep(isLeft: (value: T, number: number) => boolean, records: RecordsRead): void {
    for (const [number, entry] of this.#entries.entries()) {
      if (entry === undefined) continue;
      entry.leftAt = isLeft(entry.value, number) ? entry.leftAt ?? records.written : undefined;
      if (entry.leftAt !== undefined && records.isRead(entry.leftAt)) {
        this.#entries[number] = undefined;
      }
    }
  }
}
