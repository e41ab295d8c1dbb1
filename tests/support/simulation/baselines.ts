// Placements to compare with: chance, turns, two choices, connection counts, weights from load, the
// ancestor's rule, and oracles that see every running task.
//
// `!` on per-server reads: indices are below the number of servers by construction.

import type { Placer, PlacerContext, PlacerMaker } from "./placer.ts";

/** What all of them keep: who is in, sessions held, the last load. */
abstract class Baseline implements Placer {
  protected readonly cores: readonly number[];
  protected readonly context: PlacerContext;
  protected readonly isIn: boolean[];
  protected readonly held: number[];
  /** The last load told; 0 before the first. */
  protected readonly load1: number[];

  constructor(context: PlacerContext) {
    this.context = context;
    this.cores = context.cores;
    this.isIn = this.cores.map(() => false);
    this.held = this.cores.map(() => 0);
    this.load1 = this.cores.map(() => 0);
  }

  place(now: number): number {
    const server = this.choose(now);
    if (server >= 0) this.held[server]!++;
    return server;
  }

  ended(server: number, _now: number): void {
    this.held[server]!--;
  }

  sampled(server: number, load1: number, _now: number): void {
    this.load1[server] = load1;
  }

  admitted(server: number, isIn: boolean, _now: number): void {
    this.isIn[server] = isIn;
  }

  protected abstract choose(now: number): number;

  /** The server with the largest score; of equals the first from a random one on, or the lowest. */
  protected best(score: (server: number) => number, lowestWins = false): number {
    const { length } = this.cores;
    const from = lowestWins ? 0 : this.context.chance.below(length);
    let best = -1;
    let bestScore = 0;
    for (let step = 0; step < length; step++) {
      const server = (from + step) % length;
      if (!this.isIn[server]) continue;
      const value = score(server);
      if (best === -1 || value > bestScore) {
        best = server;
        bestScore = value;
      }
    }
    return best;
  }

  /** Any server that is in. */
  protected any(): number {
    const inside = this.isIn.reduce((sum, isIn) => sum + (isIn ? 1 : 0), 0);
    let skip = this.context.chance.below(inside);
    for (let server = 0; server < this.cores.length; server++) {
      if (this.isIn[server] && skip-- === 0) return server;
    }
    return -1;
  }
}

class RandomPlacer extends Baseline {
  protected choose(): number {
    return this.any();
  }
}

/** Chance in proportion to cores: what an administrator who knows the machines sets by hand. */
class WeightedRandom extends Baseline {
  protected choose(): number {
    let sum = 0;
    for (let i = 0; i < this.cores.length; i++) if (this.isIn[i]) sum += this.cores[i]!;
    let left = this.context.chance.next() * sum;
    let last = -1;
    for (let i = 0; i < this.cores.length; i++) {
      if (!this.isIn[i]) continue;
      last = i;
      left -= this.cores[i]!;
      if (left < 0) return i;
    }
    return last;
  }
}

class RoundRobinPlacer extends Baseline {
  #last = -1;

  protected choose(): number {
    const { length } = this.cores;
    for (let step = 1; step <= length; step++) {
      const server = (this.#last + step) % length;
      if (this.isIn[server]) return this.#last = server;
    }
    return -1;
  }
}

/** Two at random, the one with fewer threads running: fresh information, the theory's policy. */
class TwoFreshChoices extends Baseline {
  protected choose(): number {
    const one = this.any();
    const other = this.any();
    if (one < 0) return -1;
    return this.context.running(other) < this.context.running(one) ? other : one;
  }
}

/** Two at random, the one with more free cores by its last sample. */
class TwoChoices extends Baseline {
  protected choose(): number {
    const one = this.any();
    const other = this.any();
    if (one < 0) return -1;
    return this.cores[other]! - this.load1[other]! > this.cores[one]! - this.load1[one]!
      ? other
      : one;
  }
}

/** HAProxy's leastconn: fewest sessions per weight, weights set to cores by hand (or all equal). */
class LeastConnectionsPlacer extends Baseline {
  constructor(context: PlacerContext, readonly weighted: boolean) {
    super(context);
  }

  protected choose(): number {
    // HAProxy compares (served + 1) / weight.
    return this.best((i) => -(this.held[i]! + 1) / (this.weighted ? this.cores[i]! : 1));
  }
}

/** HAProxy weights are 0 to 256; an agent-check answers with a percentage of the configured weight. */
const FULL_WEIGHT = 256;

/** The agent answers with the share of the machine that its load leaves free, 1 % at least. */
function agentWeight(cores: number, most: number, load1: number): number {
  const percent = Math.max(1, Math.min(100, Math.round(100 * (1 - load1 / cores))));
  return Math.max(1, Math.round(FULL_WEIGHT * cores / most * percent / 100));
}

/** Round robin by weights from HAProxy's agent-check: smooth turns in proportion to what is free. */
class AgentRoundRobin extends Baseline {
  readonly #due: number[] = this.cores.map(() => 0);
  readonly #most = Math.max(...this.cores);

  protected choose(): number {
    let sum = 0;
    let best = -1;
    for (let i = 0; i < this.cores.length; i++) {
      if (!this.isIn[i]) continue;
      const weight = agentWeight(this.cores[i]!, this.#most, this.load1[i]!);
      sum += weight;
      this.#due[i]! += weight;
      if (best === -1 || this.#due[i]! > this.#due[best]!) best = i;
    }
    if (best >= 0) this.#due[best]! -= sum;
    return best;
  }
}

/** leastconn over weights from HAProxy's agent-check. */
class AgentLeastConnections extends Baseline {
  readonly #most = Math.max(...this.cores);

  protected choose(): number {
    return this.best((i) =>
      -(this.held[i]! + 1) / agentWeight(this.cores[i]!, this.#most, this.load1[i]!)
    );
  }
}

/** The ancestor's rule: most cores − load1, the lowest index of equals (seeds 1.5). */
class CoresMinusLoad extends Baseline {
  protected choose(): number {
    return this.best((i) => this.cores[i]! - this.load1[i]!, true);
  }
}

/**
 * What polls could tell at best: the threads that run at each poll, without the load average's lag, and
 * a thread for each session more or less since then.
 */
class PollsWithoutLag extends Baseline {
  readonly #seen = this.cores.map(() => 0);
  readonly #heldThen = this.cores.map(() => 0);

  override sampled(server: number): void {
    this.#seen[server] = this.context.running(server);
    this.#heldThen[server] = this.held[server]!;
  }

  protected choose(): number {
    return this.best((i) => this.cores[i]! - this.#seen[i]! - this.held[i]! + this.#heldThen[i]!);
  }
}

/** Sees every running thread; the most free cores. */
class Oracle extends Baseline {
  protected choose(): number {
    return this.best((i) => this.cores[i]! - this.context.running(i));
  }
}

/** Sees every running thread; where the new thread runs fastest now, then the most free cores. */
class SpeedOracle extends Baseline {
  protected choose(): number {
    return this.best((i) => {
      const free = this.cores[i]! - this.context.running(i);
      // With a core free it runs at full speed; otherwise at cores / (running + 1), below 1.
      return free >= 1 ? 1 + free : this.cores[i]! / (this.context.running(i) + 1);
    });
  }
}

export const BASELINES = {
  random: (context) => new RandomPlacer(context),
  weighted_random: (context) => new WeightedRandom(context),
  round_robin: (context) => new RoundRobinPlacer(context),
  two_choices: (context) => new TwoChoices(context),
  two_fresh_choices: (context) => new TwoFreshChoices(context),
  leastconn: (context) => new LeastConnectionsPlacer(context, false),
  leastconn_weighted: (context) => new LeastConnectionsPlacer(context, true),
  agent_round_robin: (context) => new AgentRoundRobin(context),
  agent_leastconn: (context) => new AgentLeastConnections(context),
  cores_minus_load: (context) => new CoresMinusLoad(context),
  polls_without_lag: (context) => new PollsWithoutLag(context),
  oracle: (context) => new Oracle(context),
  speed_oracle: (context) => new SpeedOracle(context),
} as const satisfies Readonly<Record<string, PlacerMaker>>;
