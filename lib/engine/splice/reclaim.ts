// What is done for a worker that died: its threads' sockets and pipes are still open, its tunnels counted.
// Runs on the control plane; nobody else writes the dead worker's memory any more.
//
// `!` on typed-array reads: slots are below the memory's capacity.

import { endTunnel, release } from "../../core/pick/pick_kernels.ts";
import type { PickTable } from "../../core/pick/pick_table.ts";
import { Source } from "../../core/pick/source.ts";
import { waitsForDescriptor } from "./dialer.ts";
import {
  ACTIVE_TUNNELS,
  BYTES,
  BYTES_TO_BACKEND,
  BYTES_TO_CLIENT,
  CLIENT_ADDRESS,
  FD,
  FREE,
  FRONTEND,
  FRONTEND_ACTIVE,
  OPEN,
  OUT_OF_DESCRIPTORS,
  PLAN,
  PLAN_REFERENCES,
  REASON,
  ROW,
  STATE,
  STEP,
  TUNNEL_NUMBERS,
  TUNNEL_WORDS,
  WORKER_LOAD,
  type WorkerMemory,
} from "./layout.ts";
import type { Libc } from "./libc.ts";
import { Recorder, SHUTDOWN } from "./records.ts";
import { readSource } from "./sockaddr.ts";

/** What a reclaiming needs of the engine. */
export interface ReclaimParts {
  readonly libc: Libc;
  /** The memory that all workers share. */
  readonly engine: Int32Array;
  tableOf(planId: number): PickTable | undefined;
  /** By the workers' clock, and in milliseconds since the epoch. */
  readonly nowMs: number;
  readonly atMs: number;
}

/**
 * Closes a dead worker's sockets and pipes, gives its places back, ends its sessions, records its tunnels' ends.
 * @returns how many tunnels it had.
 */
export function reclaim(memory: WorkerMemory, number: number, parts: ReclaimParts): number {
  const { words, numbers, counters } = memory;
  const { engine } = parts;
  const { close } = parts.libc.calls;
  const recorder = new Recorder(memory, engine);
  const source = new Source();
  let tunnels = 0;
  for (let slot = 0; slot < memory.capacity; slot++) {
    const base = slot * TUNNEL_WORDS;
    if (words[base + STATE] === FREE) continue;
    for (let side = 0; side < 2; side++) {
      if (words[base + FD + side]! >= 0) close(words[base + FD + side]!);
    }
    const planId = words[base + PLAN]!;
    const row = words[base + ROW]!;
    const table = parts.tableOf(planId);
    if (row >= 0 && table !== undefined) {
      if (words[base + STATE] === OPEN) {
        readSource(words, base + CLIENT_ADDRESS, source);
        endTunnel(table, row, source, words[base + STEP]!);
      } else release(table, row, words[base + STEP]!);
    }
    if (words[base + STATE] === OPEN) {
      tunnels++;
      const figures = slot * TUNNEL_NUMBERS;
      counters[BYTES_TO_BACKEND]! += numbers[figures + BYTES]!;
      counters[BYTES_TO_CLIENT]! += numbers[figures + BYTES + 1]!;
      words[base + REASON] = SHUTDOWN;
      recorder.closed(base, figures, parts.atMs, parts.nowMs);
    }
    if (waitsForDescriptor(words, base)) Atomics.sub(engine, OUT_OF_DESCRIPTORS, 1);
    if (planId >= 0) Atomics.sub(engine, PLAN_REFERENCES + planId, 1);
    Atomics.sub(engine, FRONTEND_ACTIVE + words[base + FRONTEND]!, 1);
    Atomics.sub(engine, WORKER_LOAD + number, 1);
    words[base + STATE] = FREE;
  }
  for (const fd of memory.pipes) if (fd > 0) close(fd);
  counters[ACTIVE_TUNNELS] = 0;
  return tunnels;
}
