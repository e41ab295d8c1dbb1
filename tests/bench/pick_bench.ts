// What a pick costs, with a reserve and a release as every connection has them. Aim: at most 1 µs at 16
// backends and 20 µs at 1,024; as much again for the snapshot that explains it.

import { readSnapshot, SNAPSHOT_WORDS, takeSnapshot } from "../../lib/core/decision_snapshot.ts";
import { FreeCores } from "../../lib/core/free_cores.ts";
import { Choice, pick, release } from "../../lib/core/pick_kernels.ts";
import {
  ELIGIBLE,
  HASH_BALANCE,
  KERNELS,
  PickTable,
  WEIGHT,
  WEIGHT_UNIT,
  WEIGHTED,
} from "../../lib/core/pick_table.ts";
import { identityOf, Source } from "../../lib/core/source_hash.ts";

const SIZES = [16, 128, 1024] as const;

/** A table as least_load writes it, under some load. */
function tableOf(rows: number, isWeighted = false): PickTable {
  const table = PickTable.allocate(rows);
  table.words[WEIGHTED] = isWeighted ? 1 : 0;
  table.words[HASH_BALANCE] = 125;
  const taken = new Set<number>();
  const backends = Array.from({ length: rows }, (_, index) => {
    const row = table.claim(taken, identityOf(`b${index}`));
    taken.add(row);
    table.write(row, WEIGHT, isWeighted ? WEIGHT_UNIT * (1 + index % 3) : WEIGHT_UNIT);
    table.write(row, ELIGIBLE, 1);
    const cores = 4 + 4 * (index % 8);
    return { row, id: `b${index}`, cores, load1: cores * (index % 10) / 12, takenAtMs: 1000 };
  });
  new FreeCores().write(backends.map((entry) => ({ ...entry, usable: true })), table, 1000);
  return table;
}

const CASES = [
  ...KERNELS.map((kernel) => ({ kernel, isWeighted: false })),
  // Those that take other paths where weights differ.
  { kernel: "rotation", isWeighted: true },
  { kernel: "source_hash", isWeighted: true },
] as const;

for (const { kernel, isWeighted } of CASES) {
  for (const rows of SIZES) {
    const table = tableOf(rows, isWeighted);
    table.kernel = kernel;
    const choice = new Choice();
    const source = new Source();
    let client = 0;
    let random = 0;
    Deno.bench(
      `pick and release: ${kernel}${isWeighted ? " by weight" : ""}, ${rows} backends`,
      { group: `${rows} backends` },
      () => {
        random = (random + 0.618_034) % 1;
        source.setIpv4(client++);
        release(table, pick(table, null, random, choice, source));
      },
    );
  }
}

const snapshot = new Int32Array(SNAPSHOT_WORDS);

for (const kernel of ["most_free", "rotation"] as const) {
  for (const rows of SIZES) {
    const table = tableOf(rows);
    table.kernel = kernel;
    const choice = new Choice();
    const names = Array.from({ length: rows }, (_, index) => ({ backend: `b${index}` }));
    let random = 0;
    Deno.bench(
      `pick, snapshot and release: ${kernel}, ${rows} backends`,
      { group: `${rows} backends` },
      () => {
        random = (random + 0.618_034) % 1;
        const row = pick(table, null, random, choice);
        takeSnapshot(table, null, choice, 0, snapshot);
        release(table, row);
      },
    );
    if (kernel === "rotation") continue;
    Deno.bench(`read a snapshot: ${rows} backends`, { group: "control plane" }, () => {
      readSnapshot(snapshot, 0, names);
    });
  }
}

for (const rows of SIZES) {
  const table = tableOf(rows);
  const freeCores = new FreeCores();
  const backends = Array.from({ length: rows }, (_, row) => ({
    row,
    id: `b${row}`,
    cores: 16,
    load1: 3,
    takenAtMs: 1000,
    usable: true,
  }));
  let nowMs = 1000;
  Deno.bench(`write all rows: ${rows} backends`, { group: "control plane" }, () => {
    nowMs += 1000;
    freeCores.write(backends, table, nowMs);
  });
}
