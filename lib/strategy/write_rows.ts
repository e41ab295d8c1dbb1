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
import type { AnyKernel } from "../core/pick/kernels/registry.ts";
import type { BackendLoad, FreeCores } from "../core/estimate/free_cores.ts";
import type { MemberView, PoolView, Strategy } from "./strategy.ts";

/** Free cores in thousandths: cores − load1, negative when overloaded; UNKNOWN_FREE without a load. */
export function freeMilliCores(member: MemberView): number {
  return member.load === undefined
    ? UNKNOWN_FREE
    : Math.max(UNKNOWN_FREE + 1, Math.round((member.cores - member.load.load1) * 1000));
}

/** What is known of each backend's load. */
function loadsOf(view: PoolView): BackendLoad[] {
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

/** Writes all rows for kernels that compare free cores, as they are estimated. */
export function writeFreeCores(
  { kernel, dealsBursts }: Strategy,
  view: PoolView,
  table: PickTable,
  nowMs: number,
  freeCores: FreeCores,
): void {
  freeCores.write(loadsOf(view), table, nowMs, dealsBursts);
  writePlaces(view, table, kernel);
}

/** Writes all rows for kernels that compare no load: free cores stand there for the log alone. */
export function writeRows(
  { kernel }: Strategy,
  view: PoolView,
  table: PickTable,
  nowMs: number,
  freeCores: FreeCores,
): void {
  // What is learnt now is for a strategy that comes with a reload.
  freeCores.observe(loadsOf(view), table, nowMs);
  for (const member of view) {
    table.write(member.row, COST_MILLI_CORES, 0);
    table.write(member.row, FREE_MILLI_CORES, freeMilliCores(member));
  }
  writePlaces(view, table, kernel);
}

/** Writes who is eligible, with what weight and in which order, then the kernel. */
function writePlaces(view: PoolView, table: PickTable, kernel: AnyKernel): void {
  let least = Infinity;
  let most = 0;
  for (const [order, member] of view.entries()) {
    const weight = Math.max(1, Math.round(member.weight * WEIGHT_UNIT));
    const eligible = member.usable ? ALWAYS : member.backupTier ?? 0;
    if (eligible !== 0) {
      least = Math.min(least, weight);
      most = Math.max(most, weight);
    }
    table.write(member.row, ORDER, order);
    table.write(member.row, WEIGHT, weight);
    table.write(member.row, ELIGIBLE, eligible);
  }
  Atomics.store(table.words, WEIGHTED, least < most ? 1 : 0);
  table.kernel = kernel.number;
}
