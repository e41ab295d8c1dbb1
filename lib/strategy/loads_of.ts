// The loads of a pool as core/estimate/free_cores.ts takes them.

import type { BackendLoad } from "../core/estimate/free_cores.ts";
import type { PoolView } from "./strategy.ts";

/** What is known of each backend's load. */
export function loadsOf(view: PoolView): BackendLoad[] {
  return view.map(({ row, backend, cores, usable, load, cpuPressure, ...shares }) => ({
    row,
    id: backend.id,
    cores,
    usable,
    weight: shares.loadWeight ?? shares.weight,
    memoryFactor: shares.memoryFactor ?? 1,
    ...(cpuPressure === undefined ? {} : { cpuPressure }),
    ...(load?.sessionCost === undefined ? {} : { sessionCost: load.sessionCost }),
    ...(load === undefined ? {} : {
      load1: load.load1,
      takenAtMs: load.takenAtMs,
      instant: load.instant === true,
    }),
  }));
}
