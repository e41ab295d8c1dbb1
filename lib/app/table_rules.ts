// Writes what the configuration of a pool says to all kernels, whatever strategy weighs, into its
// PickTable.

import { HASH_BALANCE, type PickTable } from "../core/pick_table.ts";
import type { PoolConfig } from "../config/config.ts";

export class TableRules {
  readonly #table: PickTable;

  constructor(table: PickTable) {
    this.#table = table;
  }

  /** Takes a configuration in; what it says holds for the next pick. */
  set({ hashBalance }: PoolConfig): void {
    Atomics.store(this.#table.words, HASH_BALANCE, hashBalance);
  }
}
