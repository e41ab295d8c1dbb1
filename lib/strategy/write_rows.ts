// What every strategy writes of a backend, whatever it compares.

import {
  ALWAYS,
  COST_MILLI_CORES,
  ELIGIBLE,
  FREE_MILLI_CORES,
  ORDER,
  type PickTable,
  UNKNOWN_FREE,
  WEIGHT,
  WEIGHT_UNIT,
  WEIGHTED,
} from "../core/pick/pick_table.ts";
import { KERNEL_NAMES, type PickKernel } from "../core/pick/kernels/registry.ts";
import type { MemberView, PoolView } from "./strategy.ts";

/** Free cores in thousandths: cores − load1, negative when overloaded; UNKNOWN_FREE without a load. */
export function freeMilliCores(member: MemberView): number {
  return member.load === undefined
    ? UNKNOWN_FREE
    : Math.max(UNKNOWN_FREE + 1, Math.round((member.cores - member.load.load1) * 1000));
}

/** Writes eligibility and free cores of all, then the kernel. Free cores stand there for the log too. */
export function writeRows(view: PoolView, table: PickTable, kernel: PickKernel): void {
  for (const member of view) {
    table.write(member.row, COST_MILLI_CORES, 0);
    table.write(member.row, FREE_MILLI_CORES, freeMilliCores(member));
  }
  writePlaces(view, table, kernel);
}

/** Writes who is eligible, with what weight and in which order, then the kernel. */
export function writePlaces(view: PoolView, table: PickTable, kernel: PickKernel): void {
  let least = Infinity;
  let most = 0;
  for (const [order, member] of view.entries()) {
    const weight = Math.max(1, Math.round(member.weight * WEIGHT_UNIT));
    const eligible = member.usable ? ALWAYS : member.standBy ?? 0;
    if (eligible !== 0) {
      least = Math.min(least, weight);
      most = Math.max(most, weight);
    }
    table.write(member.row, ORDER, order);
    table.write(member.row, WEIGHT, weight);
    table.write(member.row, ELIGIBLE, eligible);
  }
  Atomics.store(table.words, WEIGHTED, least < most ? 1 : 0);
  table.kernel = KERNEL_NAMES.indexOf(kernel);
}
