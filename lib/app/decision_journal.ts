// The last decisions, for `why`: connections that got a backend and clients that got none, with every
// pick that was made for them. Bounded in number and in size.

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

/**
 * Backends seen, over all decisions kept: some 6 MiB. Large pools, or many failed attempts, so have a
 * shorter memory.
 */
const MOST_SEEN = 65_536;

interface Entry {
  readonly event: DecisionEvent;
  /** The strategy of each pick: which kernel ran for which may change with a reload. */
  readonly strategies: readonly string[];
  readonly seen: number;
}

export class DecisionJournal {
  /** A queue: what is before `#first` has left. */
  #entries: (Entry | undefined)[] = [];
  #first = 0;
  #seen = 0;

  /** @param most decisions that are kept. @param mostSeen backends seen by them, in all. */
  constructor(readonly most: number = MOST_DECISIONS, readonly mostSeen: number = MOST_SEEN) {}

  get size(): number {
    return this.#entries.length - this.#first;
  }

  /** @param strategyOf the strategy that a kernel ran for, in the words of lb.conf. */
  note(event: DecisionEvent, strategyOf: (kernel: string) => string): void {
    const picks = picksOf(event);
    const strategies = picks.map(({ snapshot }) => strategyOf(snapshot.kernel));
    const seen = picks.reduce((sum, { snapshot }) => sum + snapshot.backends.length, 0);
    this.#entries.push({ event, strategies, seen });
    this.#seen += seen;
    while (this.size > this.most || (this.#seen > this.mostSeen && this.size > 1)) this.#forget();
  }

  /** The latest that fit, the oldest first. */
  find({ last, client }: WhyQuery): DecisionReport[] {
    const found: DecisionReport[] = [];
    for (let at = this.#entries.length - 1; at >= this.#first && found.length < last; at--) {
      const entry = this.#entries[at];
      if (entry === undefined) continue;
      if (client !== undefined && !isFrom(formatAddress(entry.event.client), client)) continue;
      found.push(reportDecision(entry.event, entry.strategies));
    }
    return found.reverse();
  }

  #forget(): void {
    this.#seen -= this.#entries[this.#first]?.seen ?? 0;
    this.#entries[this.#first++] = undefined;
    if (this.#first <= this.most) return;
    this.#entries = this.#entries.slice(this.#first);
    this.#first = 0;
  }
}

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

function reportDecision(event: DecisionEvent, strategies: readonly string[]): DecisionReport {
  const opened = event.kind === "opened";
  return {
    at: new Date(event.atMs).toISOString(),
    tunnel: opened ? event.tunnel : null,
    frontend: event.frontend,
    pool: event.pool,
    client: formatAddress(event.client),
    backend: opened ? event.backend : null,
    refused: opened ? null : event.reason,
    picks: picksOf(event).map((trace, index) => reportPick(trace, strategies[index] ?? "")),
  };
}

/** One pick as `why` and recordings tell it. */
export function reportPick({ atMs, snapshot, failure }: PickTrace, strategy: string): PickReport {
  const { why, backends, omitted, nearlyEqual, draw } = snapshot;
  const [first] = backends;
  return {
    at: new Date(atMs).toISOString(),
    strategy,
    why,
    backend: first?.outcome === "chosen" ? first.backend : null,
    failure: failure ?? null,
    backends: backends.map(reportSeen),
    omitted,
    nearlyEqual: nearlyEqual / 1000,
    draw,
  };
}

function reportSeen({ backend, outcome, freeMilliCores, score, active }: SeenBackend): SeenReport {
  return {
    backend,
    outcome,
    free: freeMilliCores === undefined ? null : freeMilliCores / 1000,
    score: score === undefined ? null : score / 1000,
    active,
  };
}
