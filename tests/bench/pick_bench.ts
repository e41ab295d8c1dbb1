// What a pick costs, with the reserving, the counting and the release that every connection has. Aim: at
// most 1 µs at 16 backends and 20 µs at 1,024; as much again for the snapshot that explains it.

import { SNAPSHOT_WORDS, takeSnapshot } from "../../lib/core/pick/decision_snapshot.ts";
import { readSnapshot } from "../../lib/core/pick/snapshot_reader.ts";
import { FreeCores } from "../../lib/core/estimate/free_cores.ts";
import { Choice, countTunnel, pick, release } from "../../lib/core/pick/pick_kernels.ts";
import {
  ELIGIBLE,
  HASH_BALANCE,
  HEADER_WORDS,
  PACE_LIMIT,
  PickTable,
  ROW_WORDS,
  STICKY_SECONDS,
  WEIGHT,
  WEIGHT_UNIT,
  WEIGHTED,
  YOUNG_BEFORE,
} from "../../lib/core/pick/pick_table.ts";
import { type PickKernel } from "../../lib/core/pick/kernels/registry.ts";
import { identityOf, Source } from "../../lib/core/pick/source.ts";
import { enterYoung } from "../../lib/core/pick/young.ts";
import { STICKY_CLIENTS } from "../../lib/core/pick/sticky.ts";
import {
  allocateEngineMemory,
  allocateWorkerMemory,
  RING_HEAD,
  RING_TAIL,
} from "../../lib/engine/splice/layout.ts";
import { Recorder } from "../../lib/engine/splice/records.ts";
import { CHOOSING_KERNELS, setKernel } from "../support/tables.ts";
import { viewOf } from "../support/views.ts";

const SIZES = [16, 128, 1024] as const;

type How = "" | " by weight" | " paced" | " in a burst" | " sticky";

/** A table as least_load writes it, under some load. */
function tableOf(rows: number, how: How = ""): PickTable {
  const isWeighted = how === " by weight";
  const table = PickTable.allocate(rows, how === " sticky" ? STICKY_CLIENTS : 0);
  table.words[WEIGHTED] = isWeighted ? 1 : 0;
  // Every backend is at its limit: the most that pacing looks at.
  table.words[PACE_LIMIT] = how === " paced" ? 8 : 0;
  table.words[STICKY_SECONDS] = how === " sticky" ? 60 : 0;
  table.words[HASH_BALANCE] = 125;
  const taken = new Set<number>();
  const backends = Array.from({ length: rows }, (_, index) => {
    const row = table.claim(taken, identityOf(`b${index}`));
    taken.add(row);
    table.write(row, WEIGHT, isWeighted ? WEIGHT_UNIT * (1 + index % 3) : WEIGHT_UNIT);
    table.write(row, ELIGIBLE, 1);
    table.write(row, YOUNG_BEFORE, how === " paced" ? 8 : 0);
    if (how === " in a burst") enterYoung(table.words, HEADER_WORDS + row * ROW_WORDS);
    const cores = 4 + 4 * (index % 8);
    return { row, id: `b${index}`, cores, load1: cores * (index % 10) / 12, takenAtMs: 1000 };
  });
  new FreeCores().write(viewOf(backends.map((entry) => ({ ...entry, usable: true }))), table, 1000);
  return table;
}

const CASES: readonly { kernel: PickKernel; how: How }[] = [
  ...CHOOSING_KERNELS.map((kernel) => ({ kernel, how: "" } as const)),
  // Those that take other paths where weights differ.
  { kernel: "rotation", how: " by weight" },
  { kernel: "source_hash", how: " by weight" },
  { kernel: "most_free", how: " paced" },
  { kernel: "most_free", how: " in a burst" },
  // 4096 clients, each of whom was here before.
  { kernel: "most_free", how: " sticky" },
];

for (const { kernel, how } of CASES) {
  for (const rows of SIZES) {
    const table = tableOf(rows, how);
    setKernel(table, kernel);
    const choice = new Choice();
    const source = new Source();
    let client = 0;
    let random = 0;
    Deno.bench(
      `pick and release: ${kernel}${how}, ${rows} backends`,
      { group: `${rows} backends` },
      () => {
        random = (random + 0.618_034) % 1;
        source.setIpv4(client++ & 4095);
        const row = pick(table, null, random, choice, source);
        countTunnel(table, row, source);
        release(table, row, choice.step);
      },
    );
  }
}

const snapshot = new Int32Array(SNAPSHOT_WORDS);
const { control, ...memory } = allocateWorkerMemory(1);
const recorder = new Recorder({ control, ...memory }, allocateEngineMemory());

for (const kernel of ["most_free", "rotation"] as const) {
  for (const rows of SIZES) {
    const table = tableOf(rows);
    setKernel(table, kernel);
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
        release(table, row, choice.step);
      },
    );
    Deno.bench(
      `pick, snapshot, record of it and release: ${kernel}, ${rows} backends`,
      { group: `${rows} backends` },
      () => {
        random = (random + 0.618_034) % 1;
        const row = pick(table, null, random, choice);
        recorder.picked(0, 0, snapshot, takeSnapshot(table, null, choice, 0, snapshot));
        release(table, row, choice.step);
        // As if it had been read.
        Atomics.store(control, RING_TAIL, Atomics.load(control, RING_HEAD));
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
  const view = viewOf(backends);
  let nowMs = 1000;
  Deno.bench(`write all rows: ${rows} backends`, { group: "control plane" }, () => {
    nowMs += 1000;
    freeCores.write(view, table, nowMs);
  });
}
