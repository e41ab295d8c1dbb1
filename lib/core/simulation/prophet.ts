// A placement that knows what every session, placed or coming, will do to its end. No program can; it
// shows how much there is to be won by knowing the future. It is no bound: it expects everything to run
// on time, so it is at a loss where servers are overloaded for long (utilisation above 0.85).
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

/**
 * Sends a session where it meets the least overload: the sum over its jobs' slots of the chance that
 * more threads than cores will run, given those that are known of and a Poisson number of those that are
 * yet to come, which spread over the servers by cores.
 */
export class Prophet implements Placer {
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
    const free = size - running(server);
    let cost = 0;
    if (this.#next.length === 0) return -free / Math.sqrt(size);
    for (const job of this.#next) {
      this.#eachSlot(job, (slot, seconds) => {
        const ahead = slot * SLOT_SECONDS - now;
        if (ahead > this.#options.horizonSeconds) return;
        const known = ahead < SLOT_SECONDS ? running(server) : this.#at(server, slot);
        let all = 0;
        for (let other = 0; other < cores.length; other++) all += this.#at(other, slot);
        const coming = Math.max(0, this.#options.meanThreads - all) * size / this.#total;
        const slack = (size - known - coming - job.threads / 2) / Math.sqrt(0.25 + 1.5 * coming);
        cost += seconds * job.threads * normalTail(slack) / (1 + job.end - job.start);
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

/** About the chance that a normal number exceeds `deviations` (logistic approximation, ±0.01). */
function normalTail(deviations: number): number {
  return 1 / (1 + Math.exp(1.702 * deviations));
}
