// The program's own least_load in the simulator: the same estimator, table and kernel as at run time.

import { FreeCores } from "../free_cores.ts";
import { Choice, countTunnel, pick, release } from "../pick_kernels.ts";
import { ACTIVE, ELIGIBLE, PickTable } from "../pick_table.ts";
import type { Placer, PlacerContext, PlacerMaker } from "./placer.ts";

export interface LeastLoadOptions {
  /** A sample older than this is no sample. */
  readonly maxAgeSeconds: number;
  /** Whether samples tell pressure, too. */
  readonly readsPressure: boolean;
}

/** How often the control plane writes the table when no sample comes. */
const TICK_SECONDS = 1;

class LeastLoadPlacer implements Placer {
  readonly #context: PlacerContext;
  readonly #options: LeastLoadOptions;
  readonly #table: PickTable;
  readonly #freeCores = new FreeCores();
  readonly #choice = new Choice();
  readonly #backends: {
    row: number;
    id: string;
    cores: number;
    usable: boolean;
    load1?: number;
    takenAtMs?: number;
    cpuPressure?: number;
  }[];
  #writtenAt = -Infinity;
  /** A sample has come that the table does not show yet; it matters to the next pick alone. */
  #isStale = true;

  constructor(context: PlacerContext, options: LeastLoadOptions) {
    this.#context = context;
    this.#options = options;
    this.#table = PickTable.allocate(context.cores.length);
    this.#table.kernel = "most_free";
    const taken = new Set<number>();
    this.#backends = context.cores.map((cores, index) => {
      taken.add(this.#table.claim(taken));
      return { row: index, id: `server-${index}`, cores, usable: false };
    });
  }

  place(now: number): number {
    if (this.#isStale || now - this.#writtenAt >= TICK_SECONDS) this.#write(now);
    const row = pick(this.#table, null, this.#context.chance.next(), this.#choice);
    if (row < 0) return row;
    countTunnel(this.#table, row);
    this.#counted(row, now);
    return row;
  }

  ended(server: number, now: number): void {
    release(this.#table, server);
    this.#counted(server, now);
  }

  sampled(server: number, load1: number, now: number, cpuPressure: number): void {
    const backend = this.#backends[server];
    if (backend === undefined) return;
    backend.load1 = load1;
    backend.takenAtMs = now * 1000;
    if (this.#options.readsPressure) backend.cpuPressure = cpuPressure;
    this.#freeCores.observe([backend], this.#table, now * 1000);
    this.#isStale = true;
  }

  admitted(server: number, isIn: boolean, now: number): void {
    const backend = this.#backends[server];
    if (backend === undefined) return;
    backend.usable = isIn;
    this.#table.write(server, ELIGIBLE, isIn ? 1 : 0);
    this.#write(now);
  }

  #counted(row: number, now: number): void {
    this.#freeCores.estimator.observeSessions(row, this.#table.read(row, ACTIVE), now * 1000);
  }

  #write(now: number): void {
    this.#writtenAt = now;
    this.#isStale = false;
    const nowMs = now * 1000;
    for (const backend of this.#backends) {
      if (nowMs - (backend.takenAtMs ?? 0) > this.#options.maxAgeSeconds * 1000) {
        delete backend.load1;
        delete backend.takenAtMs;
      }
    }
    this.#freeCores.write(this.#backends, this.#table, nowMs);
  }
}

export function leastLoad(options: Partial<LeastLoadOptions> = {}): PlacerMaker {
  const all = { maxAgeSeconds: Infinity, readsPressure: false, ...options };
  return (context) => new LeastLoadPlacer(context, all);
}
