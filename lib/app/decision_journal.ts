// The last decisions, for `why`: connections that got a backend and clients that got none, with every
// pick that was made for them. What the picks saw is the engine's to remember.

import { formatAddress } from "../core/address.ts";
import type { SeenBackend } from "../core/decision_snapshot.ts";
import type { EngineEvent, PickTrace } from "../engine/engine.ts";
import {
  type DecisionReport,
  MOST_DECISIONS,
  type PickReport,
  type SeenReport,
  type WhyQuery,
} from "../admin/why_report.ts";

/** Events that tell of a decision. */
export type DecisionEvent = Extract<EngineEvent, { kind: "opened" | "refused" }>;

/** What is kept of a decision: some 300 bytes, where the event with its addresses holds a thousand. */
interface Kept extends Omit<DecisionReport, "at" | "picks"> {
  readonly atMs: number;
  readonly picks: readonly PickTrace[];
}

export class DecisionJournal {
  /** Rings: decision number n is at n modulo `most`. */
  readonly #decisions: Kept[] = [];
  /** The strategy of an event's last pick: which kernel runs for which may change with a reload. */
  readonly #strategies: string[] = [];
  #noted = 0;
  readonly #strategyOf: StrategyOf;

  /** @param most decisions that are kept. */
  constructor(strategyOf: StrategyOf, readonly most: number = MOST_DECISIONS) {
    this.#strategyOf = strategyOf;
  }

  note(event: DecisionEvent): void {
    const at = this.#noted++ % this.most;
    const decision = keep(event);
    const kernel = decision.picks[decision.picks.length - 1]?.kernel;
    this.#decisions[at] = decision;
    this.#strategies[at] = kernel === undefined ? "" : this.#strategyOf(event.pool, kernel);
  }

  /** The latest that fit, the oldest first; each is made when its turn comes. */
  *find({ last, client }: WhyQuery): Generator<DecisionReport> {
    const found: { readonly decision: Kept; readonly strategy: string }[] = [];
    for (let age = 1; age <= this.#decisions.length && found.length < last; age++) {
      const at = (this.#noted - age) % this.most;
      const decision = this.#decisions[at];
      if (decision === undefined) continue;
      if (client !== undefined && !isFrom(decision.client, client)) continue;
      found.push({ decision, strategy: this.#strategies[at] ?? "" });
    }
    for (const { decision, strategy } of found.reverse()) {
      const last = decision.picks.at(-1)?.kernel;
      yield reportDecision(
        decision,
        (pool, kernel) => kernel === last ? strategy : this.#strategyOf(pool, kernel),
      );
    }
  }
}

/** The strategy that a pool's kernel ran for, in the words of lb.conf. */
export type StrategyOf = (pool: string, kernel: string) => string;

/** Every pick for a client. */
export function picksOf(event: DecisionEvent): readonly PickTrace[] {
  return event.kind === "opened" ? event.decision.picks : event.picks;
}

/**
 * Tells whether an address is meant: written out, its host alone, or the beginning of its host up to a
 * "." or ":" ("192.0.2" means 192.0.2.7, "192.0.2.7" does not mean 192.0.2.70).
 */
export function isFrom(address: string, wanted: string): boolean {
  if (wanted === "") return false;
  if (address === wanted) return true;
  const host = address.replace(/:\d+$/, "");
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  const meant = wanted.replace(/^\[(.*)\]$/, "$1");
  if (bare === meant) return true;
  return bare.startsWith(meant) && (/[.:]$/.test(meant) || /[.:]/.test(bare.charAt(meant.length)));
}

function keep(event: DecisionEvent): Kept {
  const opened = event.kind === "opened";
  return {
    atMs: event.atMs,
    tunnel: opened ? event.tunnel : null,
    frontend: event.frontend,
    pool: event.pool,
    client: formatAddress(event.client),
    backend: opened ? event.backend : null,
    refused: opened ? null : event.reason,
    picks: picksOf(event),
  };
}

function reportDecision({ atMs, picks, ...rest }: Kept, strategyOf: StrategyOf): DecisionReport {
  return {
    at: new Date(atMs).toISOString(),
    ...rest,
    picks: picks.flatMap((trace) => {
      const report = reportPick(trace, rest.pool, strategyOf);
      return report === undefined ? [] : [{ at: new Date(trace.atMs).toISOString(), ...report }];
    }),
  };
}

/** One pick as `why` and recordings tell it; undefined when what it saw is forgotten. */
export function reportPick(
  { snapshot, failure }: PickTrace,
  pool: string,
  strategyOf: StrategyOf,
): Omit<PickReport, "at"> | undefined {
  if (snapshot === undefined) return undefined;
  const { kernel, why, backends, omitted, nearlyEqual, draw } = snapshot;
  const [first] = backends;
  return {
    strategy: strategyOf(pool, kernel),
    why,
    backend: first?.outcome === "chosen" ? first.backend : null,
    failure: failure ?? null,
    backends: backends.map(reportSeen),
    omitted,
    nearlyEqual: nearlyEqual / 1000,
    draw,
  };
}

function reportSeen(seen: SeenBackend): SeenReport {
  const { backend, outcome, freeMilliCores, score, active, weight = 1 } = seen;
  return {
    backend,
    outcome,
    free: freeMilliCores === undefined ? null : freeMilliCores / 1000,
    score: score === undefined ? null : score / 1000,
    active,
    weight,
  };
}
