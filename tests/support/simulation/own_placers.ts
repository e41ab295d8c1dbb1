// The program's own strategies in the simulator: the same estimator, table and kernels as at run time.

import { FreeCores } from "../../../lib/core/estimate/free_cores.ts";
import type { Backend } from "../../../lib/core/pool/backend.ts";
import type { LoadSample } from "../../../lib/core/pool/load.ts";
import { backendAt } from "../backends.ts";
import { Choice, countTunnel, pick, release } from "../../../lib/core/pick/pick_kernels.ts";
import {
  ACTIVE,
  ELIGIBLE,
  HASH_BALANCE,
  ORDER,
  PACE_LIMIT,
  PickTable,
  WEIGHT,
  WEIGHT_UNIT,
  WEIGHTED,
} from "../../../lib/core/pick/pick_table.ts";
import type { PickKernel } from "../../../lib/core/pick/kernels/registry.ts";
import { identityOf, Source } from "../../../lib/core/pick/source.ts";
import { YoungSteps } from "../../../lib/core/pick/young.ts";
import { giveUpWaiting } from "../../../lib/core/pick/pacing.ts";
import { type Placer, type PlacerContext, type PlacerMaker, WAITS } from "./placer.ts";
import { setKernel } from "../tables.ts";

export interface LeastLoadOptions {
  /** A sample older than this is no sample. */
  readonly maxAgeSeconds: number;
  /** Whether samples tell pressure, too. */
  readonly readsPressure: boolean;
  /** A server with so many young sessions stands back; 0: nobody is paced. */
  readonly paceSessions: number;
  /** For how long a session is young. */
  readonly paceSeconds: number;
  /** How long a session waits for the server that is best for it; 0: not at all. */
  readonly queueSeconds: number;
}

export interface SourceHashOptions {
  /** How much of its share a server may hold before it is passed over, percent; 0: any. */
  readonly balance: number;
  /** Whether shares are set to cores by hand; otherwise they are equal. */
  readonly weighted: boolean;
}

interface OwnOptions extends LeastLoadOptions, SourceHashOptions {
  readonly kernel: PickKernel;
  /** Whether a burst of logins is to be dealt out over the servers. */
  readonly dealsBursts: boolean;
}

const DEFAULTS = {
  maxAgeSeconds: Infinity,
  readsPressure: false,
  paceSessions: 0,
  paceSeconds: 10,
  queueSeconds: 0,
  balance: 125,
  weighted: false,
} as const;

/** How often the control plane writes the table when no sample comes. */
const TICK_SECONDS = 1;
/** Clients have addresses in 10.0.0.0/8. */
const FIRST_ADDRESS = 0x0a00_0000;

class OwnPlacer implements Placer {
  readonly queueSeconds: number;
  readonly #context: PlacerContext;
  readonly #options: OwnOptions;
  readonly #table: PickTable;
  readonly #freeCores = new FreeCores();
  readonly #steps: YoungSteps;
  readonly #choice = new Choice();
  readonly #source = new Source();
  readonly #backends: {
    row: number;
    backend: Backend;
    cores: number;
    usable: boolean;
    weight: number;
    load?: LoadSample;
    cpuPressure?: number;
  }[];
  #writtenAt = -Infinity;
  /** A sample has come that the table does not show yet; it matters to the next pick alone. */
  #isStale = true;

  constructor(context: PlacerContext, options: OwnOptions) {
    this.#context = context;
    this.#options = options;
    this.queueSeconds = options.queueSeconds;
    const table = PickTable.allocate(context.cores.length);
    this.#table = table;
    this.#steps = new YoungSteps(table, 0);
    this.#steps.setWithin(options.paceSeconds * 1000);
    setKernel(table, options.kernel);
    Atomics.store(table.words, HASH_BALANCE, options.balance);
    Atomics.store(table.words, PACE_LIMIT, options.paceSessions);
    Atomics.store(table.words, WEIGHTED, options.weighted ? 1 : 0);
    const taken = new Set<number>();
    this.#backends = context.cores.map((cores, index) => {
      const id = `server-${index}`;
      const row = table.claim(taken, identityOf(id));
      taken.add(row);
      table.write(row, ORDER, index);
      table.write(row, WEIGHT, (options.weighted ? cores : 1) * WEIGHT_UNIT);
      return { row, backend: { ...backendAt(id), id }, cores, usable: false, weight: 1 };
    });
  }

  place(now: number, client: number, patience: number): number {
    this.#steps.advance(now * 1000);
    if (this.#isStale || now - this.#writtenAt >= TICK_SECONDS) this.#write(now);
    this.#source.setIpv4(FIRST_ADDRESS + client);
    const random = this.#context.chance.next();
    const choice = this.#choice;
    const row = pick(this.#table, null, random, choice, this.#source, 1000 * patience);
    if (row < 0) return choice.waits ? WAITS : row;
    // Its time is over, and it has gone elsewhere.
    if (this.queueSeconds > 0 && patience === 0 && choice.paced) giveUpWaiting(this.#table.words);
    countTunnel(this.#table, row);
    this.#counted(row, now);
    return row;
  }

  ended(server: number, now: number, placedAt: number): void {
    this.#steps.advance(now * 1000);
    release(this.#table, server, this.#steps.stepAt(placedAt * 1000));
    this.#counted(server, now);
  }

  sampled(server: number, load1: number, now: number, cpuPressure: number): void {
    const backend = this.#backends[server];
    if (backend === undefined) return;
    backend.load = { load1, takenAtMs: now * 1000 };
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
      if (nowMs - (backend.load?.takenAtMs ?? 0) > this.#options.maxAgeSeconds * 1000) {
        delete backend.load;
      }
    }
    this.#freeCores.write(this.#backends, this.#table, nowMs, this.#options.dealsBursts);
  }
}

export function leastLoad(options: Partial<LeastLoadOptions> = {}): PlacerMaker {
  const all: OwnOptions = { ...DEFAULTS, kernel: "most_free", dealsBursts: true, ...options };
  return (context) => new OwnPlacer(context, all);
}

export function twoChoices(): PlacerMaker {
  const all: OwnOptions = { ...DEFAULTS, kernel: "two_choices", dealsBursts: true };
  return (context) => new OwnPlacer(context, all);
}

/** Servers stand in the order of their numbers. */
export function first(): PlacerMaker {
  const all: OwnOptions = { ...DEFAULTS, kernel: "first", dealsBursts: false };
  return (context) => new OwnPlacer(context, all);
}

export function sourceHash(options: Partial<SourceHashOptions> = {}): PlacerMaker {
  const all: OwnOptions = { ...DEFAULTS, kernel: "source_hash", dealsBursts: false, ...options };
  return (context) => new OwnPlacer(context, all);
}
