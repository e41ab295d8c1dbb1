// PickTables as tests need them: a row in a line, written as the control plane would.

import { Choice, pick, type Tried } from "../../lib/core/pick/pick_kernels.ts";
import {
  ACTIVE,
  COST_MILLI_CORES,
  ELIGIBLE,
  FREE_MILLI_CORES,
  HEADER_WORDS,
  MAX_CONNECTIONS,
  ORDER,
  PickTable,
  ROW_WORDS,
  UNKNOWN_FREE,
  WEIGHT,
  WEIGHT_UNIT,
  WEIGHTED,
} from "../../lib/core/pick/pick_table.ts";
import { KERNEL_NAMES, type PickKernel } from "../../lib/core/pick/kernels/registry.ts";
import { identityOf, type Source } from "../../lib/core/pick/source.ts";
import { enterYoung } from "../../lib/core/pick/young.ts";

export interface RowSetup {
  readonly id?: string;
  readonly eligible?: boolean;
  readonly weight?: number;
  /** Milli-cores; absent: nobody knows. */
  readonly free?: number;
  readonly cost?: number;
  readonly active?: number;
  readonly max?: number;
  readonly order?: number;
}

/** Makes a kernel the one that picks from a table. */
export function setKernel(table: PickTable, kernel: PickKernel): void {
  table.kernel = KERNEL_NAMES.indexOf(kernel);
}

/** Makes a table with these rows. */
export function makeTable(
  kernel: PickKernel,
  rows: readonly RowSetup[],
  capacity: number = Math.max(1, rows.length),
): PickTable {
  const table = PickTable.allocate(capacity);
  setKernel(table, kernel);
  const taken = new Set<number>();
  for (const setup of rows) taken.add(addRow(table, taken, setup));
  setWeights(table, rows.map(({ weight = 1 }) => weight));
  return table;
}

/** Lets a backend join a table. Weights are told by setWeights. */
export function addRow(
  table: PickTable,
  taken: ReadonlySet<number>,
  setup: RowSetup = {},
): number {
  const row = table.claim(taken, identityOf(setup.id ?? `b${taken.size}`));
  table.write(row, FREE_MILLI_CORES, setup.free ?? UNKNOWN_FREE);
  table.write(row, COST_MILLI_CORES, setup.cost ?? 0);
  table.write(row, ACTIVE, setup.active ?? 0);
  table.write(row, MAX_CONNECTIONS, setup.max ?? 0);
  table.write(row, ORDER, setup.order ?? row);
  table.write(row, ELIGIBLE, setup.eligible === false ? 0 : 1);
  return row;
}

/** Gives each row its weight. */
export function setWeights(table: PickTable, weights: readonly number[]): void {
  weights.forEach((weight, row) => table.write(row, WEIGHT, weight * WEIGHT_UNIT));
  table.words[WEIGHTED] = new Set(weights).size > 1 ? 1 : 0;
}

/** Lets connections come to a row that no pick has sent there. */
export function logIn(table: PickTable, row: number, count = 1): void {
  for (let i = 0; i < count; i++) enterYoung(table.words, HEADER_WORDS + row * ROW_WORDS);
}

/** Rows in the order in which they are picked. */
export function pickMany(
  table: PickTable,
  count: number,
  { random = () => 0.5, tried = null, source }: {
    random?: () => number;
    tried?: Tried | null;
    source?: Source;
  } = {},
): number[] {
  const choice = new Choice();
  return Array.from({ length: count }, () => pick(table, tried, random(), choice, source));
}

/** How often each row stands in a list. */
export function countRows(picked: readonly number[], rows: number): number[] {
  const counts = new Array<number>(rows).fill(0);
  for (const row of picked) if (row >= 0) counts[row] = (counts[row] ?? 0) + 1;
  return counts;
}

/** Numbers in [0, 1) that look random and are the same each time (mulberry32). */
export function numbersFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ state >>> 15, 1 | state);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

/** Kernels that choose among all rows, rather than take the one that somebody else has chosen. */
export const CHOOSING_KERNELS: readonly PickKernel[] = KERNEL_NAMES.filter((name) =>
  name !== "token"
);
