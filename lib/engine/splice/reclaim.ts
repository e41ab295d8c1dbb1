// What is done for a worker that died: its threads' sockets and pipes are still open, its tunnels counted.
// Runs on the control plane; nobody else writes the dead worker's memory any more.
//
// `!` on typed-array reads: slots are below the memory's capacity.

import type { SourceTable } from "../../core/admission/source_table.ts";
import type { PickTable } from "../../core/pick/pick_table.ts";
import {
  ACTIVE_TUNNELS,
  BYTES,
  BYTES_TO_BACKEND,
  BYTES_TO_CLIENT,
  FD,
  FREE,
  LINGERING,
  OPEN,
  PLAN,
  REASON,
  STATE,
  TUNNEL_NUMBERS,
  TUNNEL_WORDS,
  type WorkerMemory,
} from "./layout.ts";
import { Ledger } from "./ledger.ts";
import type { Libc } from "./libc.ts";
import { Recorder, SHUTDOWN } from "./records.ts";

/** What a reclaiming needs of the engine. */
export interface ReclaimParts {
  readonly libc: Libc;
  /** The memory that all workers share. */
  readonly engine: Int32Array;
  readonly sources: SourceTable;
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
  const ledger = new Ledger(words, engine, parts.sources, number);
  let tunnels = 0;
  for (let slot = 0; slot < memory.capacity; slot++) {
    const base = slot * TUNNEL_WORDS;
    if (words[base + STATE] === FREE) continue;
    for (let side = 0; side < 2; side++) {
      if (words[base + FD + side]! >= 0) close(words[base + FD + side]!);
    }
    // One that lingers holds nothing else.
    if (words[base + STATE] === LINGERING) {
      words[base + STATE] = FREE;
      continue;
    }
    ledger.reclaimPlace(base, parts.tableOf(words[base + PLAN]!));
    if (words[base + STATE] === OPEN) {
      tunnels++;
      const figures = slot * TUNNEL_NUMBERS;
      counters[BYTES_TO_BACKEND]! += numbers[figures + BYTES]!;
      counters[BYTES_TO_CLIENT]! += numbers[figures + BYTES + 1]!;
      words[base + REASON] = SHUTDOWN;
      recorder.closed(base, figures, parts.atMs, parts.nowMs);
    }
    ledger.reclaimClient(base);
    words[base + STATE] = FREE;
  }
  for (const fd of memory.pipes) if (fd > 0) close(fd);
  counters[ACTIVE_TUNNELS] = 0;
  return tunnels;
}
