// Turns samples and session counts into the numbers that the kernel `most_free` compares. One per pool;
// it reads tunnels from the pool's PickTable and writes free cores, costs and scales into it, and what the
// kernel needs to deal a burst of logins out (burst_charge.ts). Free cores are what people see, too: no
// burst is taken off them.

import { LoadEstimator } from "./load_estimate.ts";
import { burstCharge } from "../pick/burst_charge.ts";
import type { PoolView } from "../pool/member_view.ts";
import { LoginBurst } from "./login_burst.ts";
import {
  ACTIVE,
  BASE_ACTIVE,
  BURST_FREE,
  BURST_LINE,
  COST_MILLI_CORES,
  FREE_MILLI_CORES,
  NEARLY_EQUAL,
  NEW_LOGINS,
  type PickTable,
  SCALE_ABOVE,
  SCALE_BELOW,
  SCALE_UNIT,
  UNKNOWN_FREE,
} from "../pick/pick_table.ts";

/**
 * Free cores f are compared as f ÷ (load + 4)^¼: a large load swings more than a small one (a Poisson
 * number by its root), so of two backends with as many cores free the less loaded is the safer place.
 * Where none is free, f ÷ cores: how much slower everybody gets there. Root and offset were found by
 * simulation: the square root itself gives away too much room on large backends. A weight multiplies
 * what is free and divides what is lacking.
 *
 * Where free memory is to count, f above 0 is multiplied by (MemAvailable ÷ MemTotal)^weight too, and f
 * below 0 divided by it. Free cores themselves, as people see them, stay what they are.
 */
const SWING_EXPONENT = 0.25;
const SWING_OFFSET = 4;

/**
 * Scores within so much of the best are as good. Two decimals of load1, de-lagged over 10 s, leave an
 * error of 0.06 cores; and independent balancers that see the same samples part ways here.
 */
const NEARLY_EQUAL_MILLI_CORES = 50;

interface Known {
  readonly id: string;
  takenAtMs: number;
}

/** Keeps a pool's estimates and writes them into its table. */
export class FreeCores {
  readonly #estimator = new LoadEstimator();
  readonly #burst = new LoginBurst();
  readonly #known: (Known | undefined)[] = [];
  /** Tunnels by row as they stood when the estimate was made; picks since then are the kernel's. */
  readonly #activeSeen: number[] = [];
  #burstCost = 0;

  get estimator(): LoadEstimator {
    return this.#estimator;
  }

  /** Cores that each new login counts for as part of a burst, when last written; 0: there is none. */
  get burstCost(): number {
    return this.#burstCost;
  }

  /**
   * Takes in what is new and writes the rows of these backends. Call it when a sample has come and
   * at least every second or so: in between, kernels go on from what was written.
   * @param dealsBursts whether a burst of logins is to be dealt out over the backends.
   */
  write(
    backends: PoolView,
    table: PickTable,
    nowMs: number,
    dealsBursts: boolean = true,
  ): void {
    this.observe(backends, table, nowMs);
    const free: number[] = [];
    const swings: number[] = [];
    let sum = 0;
    for (const { row, cores, load, usable } of backends) {
      const estimate = load === undefined ? undefined : this.#estimator.estimate(row, nowMs);
      const cpus = estimate === undefined ? NaN : cores - estimate.load;
      free.push(cpus);
      swings.push(Math.pow((estimate?.load ?? 0) + SWING_OFFSET, SWING_EXPONENT));
      if (usable && cpus > 0) sum += cpus;
    }
    const { words } = table;
    Atomics.store(words, BURST_FREE, dealsBursts ? Math.round(sum * 1000) : 0);
    Atomics.store(words, BURST_LINE, Math.round(this.#burst.line * 1000));
    this.#burstCost = burstCharge(words) / 1000;
    Atomics.store(words, NEARLY_EQUAL, NEARLY_EQUAL_MILLI_CORES);
    backends.forEach(({ row, cores, memoryFactor = 1, weight, loadWeight }, index) => {
      const cpus = free[index] ?? NaN;
      // Below 0, what makes a number larger makes it worse. 0 would stand for the unit.
      const share = (loadWeight ?? weight) * memoryFactor;
      table.write(row, SCALE_ABOVE, Math.max(1, SCALE_UNIT * share / (swings[index] ?? 1)));
      table.write(row, SCALE_BELOW, Math.max(1, SCALE_UNIT / (cores * share)));
      table.write(row, COST_MILLI_CORES, this.#estimator.sessionLoad(row, nowMs) * 1000);
      table.write(row, BASE_ACTIVE, this.#activeSeen[row] ?? 0);
      table.write(row, FREE_MILLI_CORES, Number.isNaN(cpus) ? UNKNOWN_FREE : cpus * 1000);
    });
  }

  /** Takes in what is new of these backends without writing anything. */
  observe(backends: PoolView, table: PickTable, nowMs: number): void {
    this.#burst.observe(Atomics.load(table.words, NEW_LOGINS), nowMs);
    for (const { row, backend: { id }, cores, load, cpuPressure } of backends) {
      let known = this.#known[row];
      if (known?.id !== id) {
        known = { id, takenAtMs: -Infinity };
        this.#known[row] = known;
        this.#estimator.track(row, cores, table.read(row, ACTIVE), nowMs);
      }
      this.#estimator.observeCores(row, cores);
      // The sample first: sessions are known as of now, and it was taken a moment before.
      if (load !== undefined && load.takenAtMs > known.takenAtMs) {
        known.takenAtMs = load.takenAtMs;
        this.#estimator.observePressure(row, cpuPressure);
        this.#estimator.observeCost(row, load.sessionCost);
        this.#estimator.observeSample(row, load.load1, load.takenAtMs, load.instant);
      }
      const active = table.read(row, ACTIVE);
      this.#activeSeen[row] = active;
      this.#estimator.observeSessions(row, active, nowMs);
    }
  }
}
