// What every strategy writes of a backend, whatever it compares.

import {
  COST_MILLI_CORES,
  ELIGIBLE,
  FREE_MILLI_CORES,
  type PickTable,
  UNKNOWN_FREE,
} from "../core/pick_table.ts";
import type { PickKernel } from "../core/pick_table.ts";
import type { MemberView, PoolView } from "./strategy.ts";

/** Free cores in thousandths: cores − load1, negative when overloaded; UNKNOWN_FREE without a load. */
export function freeMilliCores(member: MemberView): number {
  return member.load === undefined
    ? UNKNOWN_FREE
    : Math.round((member.cores - member.load.load1) * 1000);
}

/** Writes eligibility and free cores of all, then the kernel. Free cores stand there for the log too. */
export function writeRows(view: PoolView, table: PickTable, kernel: PickKernel): void {
  for (const member of view) {
    table.write(member.row, COST_MILLI_CORES, 0);
    table.write(member.row, FREE_MILLI_CORES, freeMilliCores(member));
    table.write(member.row, ELIGIBLE, member.usable ? 1 : 0);
  }
  table.kernel = kernel;
}
