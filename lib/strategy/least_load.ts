// least_load: the backend on which most cores will be free gets the session. The load averages are rid
// of their lag, sessions count before the load shows them, and a burst of logins is dealt out by what is
// free (core/free_cores.ts has the formulas).

import { FreeCores } from "../core/free_cores.ts";
import { ELIGIBLE, type PickTable } from "../core/pick_table.ts";
import type { PoolView, Strategy } from "./strategy.ts";

export class LeastLoad implements Strategy {
  readonly name = "least_load";
  readonly kernel = "most_free";
  readonly #freeCores = new FreeCores();

  /**
   * Only backends with a load compete while one of them has room: the others stand below every number,
   * for when all those have refused or are full. Learns from every call; wants one every second.
   */
  weigh(view: PoolView, table: PickTable, nowMs: number): boolean {
    const loads = view.map((
      { row, backend, cores, usable, load, memoryFactor = 1, cpuPressure },
    ) => ({
      row,
      id: backend.id,
      cores,
      usable,
      memoryFactor,
      ...(cpuPressure === undefined ? {} : { cpuPressure }),
      ...(load?.sessionCost === undefined ? {} : { sessionCost: load.sessionCost }),
      ...(load === undefined ? {} : { load1: load.load1, takenAtMs: load.takenAtMs }),
    }));
    if (!view.some((member) => member.usable && member.load !== undefined)) {
      this.#freeCores.observe(loads, table, nowMs);
      return false;
    }
    this.#freeCores.write(loads, table, nowMs);
    for (const member of view) table.write(member.row, ELIGIBLE, member.usable ? 1 : 0);
    table.kernel = this.kernel;
    return true;
  }
}
