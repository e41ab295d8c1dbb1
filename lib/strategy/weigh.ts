// Turns what is known of a pool into numbers in its table, by what its strategy compares.

import type { FreeCores } from "../core/estimate/free_cores.ts";
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
import type { MemberView, PoolView } from "../core/pool/member_view.ts";
import type { Strategy } from "./strategy.ts";

/** Free cores in thousandths: cores − load1, negative when overloaded; UNKNOWN_FREE without a load. */
export function freeMilliCores({ cores, load }: MemberView): number {
  return load === undefined
    ? UNKNOWN_FREE
    : Math.max(UNKNOWN_FREE + 1, Math.round((cores - load.load1) * 1000));
}

/**
 * Weighs by a strategy, or by its fallback where the strategy has nothing to go on: writes who is eligible,
 * and with what numbers, into the table, and lets the estimate learn from the view. Runs on the control
 * plane every second or so, and when the pool, health or load has changed.
 * @returns the one of them that has weighed.
 */
export function weigh(
  strategy: Strategy,
  fallback: Strategy,
  view: PoolView,
  table: PickTable,
  nowMs: number,
  freeCores: FreeCores,
): Strategy {
  const isBlind = strategy.needsLoad &&
    !view.some((member) => member.usable && member.load !== undefined);
  const placing = isBlind ? fallback : strategy;
  if (placing.comparesLoad) freeCores.write(view, table, nowMs, placing.dealsBursts);
  else {
    // What is learnt now is for a strategy that comes with a reload.
    freeCores.observe(view, table, nowMs);
    for (const member of view) {
      table.write(member.row, COST_MILLI_CORES, 0);
      table.write(member.row, FREE_MILLI_CORES, freeMilliCores(member));
    }
  }
  writePlaces(view, table, placing);
  return placing;
}

/** Writes who is eligible, with what weight and in which order, then the kernel. */
function writePlaces(view: PoolView, table: PickTable, { kernel, needsLoad }: Strategy): void {
  let least = Infinity;
  let most = 0;
  for (const [order, { row, usable, backupTier = 0, loadWeight, ...member }] of view.entries()) {
    const share = needsLoad ? loadWeight ?? member.weight : member.weight;
    const weight = Math.max(1, Math.round(share * WEIGHT_UNIT));
    const eligible = usable ? ALWAYS : backupTier;
    if (eligible !== 0) {
      least = Math.min(least, weight);
      most = Math.max(most, weight);
    }
    table.write(row, ORDER, order);
    table.write(row, WEIGHT, weight);
    table.write(row, ELIGIBLE, eligible);
  }
  Atomics.store(table.words, WEIGHTED, least < most ? 1 : 0);
  table.kernel = kernel.number;
}
