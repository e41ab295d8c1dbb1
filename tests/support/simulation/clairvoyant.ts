// A placement that knows what every session that is there, and the one that comes, will do to its end.
// No program can; it shows how much there is to be won by knowing the future. It is not the best that
// could be: it looks at one session at a time, and not beyond a horizon.
//
// `!` on typed-array reads: indices are below the arrays' length by construction.

import type { Placer, PlacerContext, PlannedJob } from "./placer.ts";

/** The future is kept in slots of so many seconds, in a circle. */
const SLOT_SECONDS = 20;
const SLOTS = 4096;

export interface ProphetOptions {
  /** Threads that run over all servers in the long run: what is not known of is yet to come. */
  readonly meanThreads: number;
  /** How far ahead it looks. */
  readonly horizonSeconds: number;
}

/** Jobs that run late, because servers were overloaded, are done by 1/e in about this time. */
const BACKLOG_SECONDS = 200;
/** What a slot of overload costs the session's neighbours, beside what it costs itself. */
const NEIGHBOURS = 0.1;

/**
 * Sends a session where it meets the least overload: the sum over its jobs' slots of how many threads
 * more than cores are to be expected, per core (its own delay), and of the chance that there are any
 * (its neighbours'), given those that are known of, those that run late, and a Poisson number of those
 * that are yet to come, which spread over the servers by cores.
 */
export class Clairvoyant implements Placer {
  readonly #context: PlacerContext;
  readonly #options: ProphetOptions;
  /** Thread-seconds by server and slot. */
  readonly #known: Float64Array[];
  /** The slot number that stands in each place of the circle. */
  readonly #slotOf: Int32Array[];
  readonly #isIn: boolean[];
  readonly #total: number;
  #next: readonly PlannedJob[] = [];

  constructor(context: PlacerContext, options: ProphetOptions) {
    this.#context = context;
    this.#options = options;
    this.#known = context.cores.map(() => new Float64Array(SLOTS));
    this.#slotOf = context.cores.map(() => new Int32Array(SLOTS).fill(-1));
    this.#isIn = context.cores.map(() => false);
    this.#total = context.cores.reduce((sum, cores) => sum + cores, 0);
  }

  foresee(jobs: readonly PlannedJob[]): void {
    this.#next = jobs;
  }

  opened(server: number, jobs: readonly PlannedJob[]): void {
    for (const job of jobs) {
      this.#eachSlot(job, (slot, seconds) => this.#add(server, slot, seconds * job.threads));
    }
  }

  place(now: number): number {
    const { cores, chance } = this.#context;
    let best = -1;
    let least = Infinity;
    const from = chance.below(cores.length);
    for (let step = 0; step < cores.length; step++) {
      const server = (from + step) % cores.length;
      if (!this.#isIn[server]) continue;
      const cost = this.#cost(server, now);
      if (cost < least) {
        least = cost;
        best = server;
      }
    }
    return best;
  }

  ended(): void {}

  sampled(): void {}

  admitted(server: number, isIn: boolean): void {
    this.#isIn[server] = isIn;
  }

  #cost(server: number, now: number): number {
    const { cores, running } = this.#context;
    const size = cores[server]!;
    const runs = running(server);
    if (this.#next.length === 0) return (runs - size) / Math.sqrt(size);
    const late = Math.max(0, runs - this.#at(server, Math.floor(now / SLOT_SECONDS)));
    let cost = 0;
    for (const job of this.#next) {
      this.#eachSlot(job, (slot, seconds) => {
        const ahead = slot * SLOT_SECONDS - now;
        if (ahead > this.#options.horizonSeconds) return;
        const known = ahead < SLOT_SECONDS
          ? runs
          : this.#at(server, slot) + late * Math.exp(-ahead / BACKLOG_SECONDS);
        let all = 0;
        for (let other = 0; other < cores.length; other++) all += this.#at(other, slot);
        const coming = Math.max(0, this.#options.meanThreads - all) * size / this.#total;
        const deviation = Math.sqrt(0.25 + 1.5 * coming);
        const slack = (size - known - coming - job.threads / 2) / deviation;
        const delay = deviation * normalExcess(slack) / size + NEIGHBOURS * normalTail(slack);
        cost += seconds * job.threads * delay / (1 + job.end - job.start);
      });
    }
    return cost;
  }

  #eachSlot(job: PlannedJob, visit: (slot: number, seconds: number) => void): void {
    const first = Math.floor(job.start / SLOT_SECONDS);
    const last = Math.min(first + SLOTS - 1, Math.floor(job.end / SLOT_SECONDS));
    for (let slot = first; slot <= last; slot++) {
      const begin = Math.max(job.start, slot * SLOT_SECONDS);
      const end = Math.min(job.end, (slot + 1) * SLOT_SECONDS);
      if (end > begin) visit(slot, end - begin);
    }
  }

  #at(server: number, slot: number): number {
    const place = slot % SLOTS;
    return this.#slotOf[server]![place] === slot ? this.#known[server]![place]! / SLOT_SECONDS : 0;
  }

  #add(server: number, slot: number, threadSeconds: number): void {
    const place = slot % SLOTS;
    if (this.#slotOf[server]![place] !== slot) {
      this.#slotOf[server]![place] = slot;
      this.#known[server]![place] = 0;
    }
    this.#known[server]![place]! += threadSeconds;
  }
}

/** Makes the logistic function stand for the normal one, ±0.01. */
const LOGISTIC = 1.702;

/** About the chance that a normal number exceeds `deviations`. */
function normalTail(deviations: number): number {
  return 1 / (1 + Math.exp(LOGISTIC * deviations));
}

/** About by how much a normal number exceeds `deviations` in the mean: the tail's integral. */
function normalExcess(deviations: number): number {
  const above = -LOGISTIC * deviations;
  return (above > 30 ? above : Math.log1p(Math.exp(above))) / LOGISTIC;
}
