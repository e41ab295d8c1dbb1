// The loads of a pool as core/free_cores.ts takes them.

import type { BackendLoad } from "../core/free_cores.ts";
import type { PoolView } from "./strategy.ts";

/** What is known of each backend's load. */
export function loadsOf(view: PoolView): BackendLoad[] {
  return view.map(({ row, backend, cores, usable, weight, load }) => ({
    row,
    id: backend.id,
    cores,
    usable,
    weight,
    ...(load === undefined ? {} : { load1: load.load1, takenAtMs: load.takenAtMs }),
  }));
}
