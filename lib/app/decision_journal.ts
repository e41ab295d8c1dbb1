// The last decisions, for `why`: connections that got a backend and clients that got none, with every
// pick that was made for them. What the picks saw is the engine's to remember.

import { reportPick, type StrategyOf } from "../core/pick/pick_report.ts";
import { formatAddress } from "../core/values/address.ts";
import { LineBytes } from "../core/values/line_bytes.ts";
import type { DecisionEvent, Picks, RefusalReason } from "../engine/engine.ts";
import { type DecisionReport, MOST_DECISIONS, type WhyQuery } from "../admin/why_report.ts";

/** Bytes of a client's address that are kept; none but a unix socket's path is longer. */
const CLIENT_BYTES = 64;

/** What is kept of a decision. Written over by a later one: nothing is allocated for a connection. */
class Kept {
  atMs = 0;
  tunnel: number | null = null;
  frontend = "";
  pool = "";
  backend: string | null = null;
  refused: RefusalReason | null = null;
  queueMs = 0;
  lastPick = 0;
  store: Picks | undefined;
  /** The strategy of the last pick: which kernel runs for which may change with a reload. */
  strategy = "";
  readonly client = new Uint8Array(CLIENT_BYTES);
  clientLength = 0;
}

export class DecisionJournal {
  /** A ring: decision number n is at n modulo `most`. */
  readonly #decisions: Kept[] = [];
  readonly #line = new LineBytes(CLIENT_BYTES);
  #noted = 0;
  readonly #strategyOf: StrategyOf;

  /** @param most decisions that are kept. */
  constructor(strategyOf: StrategyOf, readonly most: number = MOST_DECISIONS) {
    this.#strategyOf = strategyOf;
  }

  note(event: DecisionEvent): void {
    const at = this.#noted++ % this.most;
    const kept = this.#decisions[at] ??= new Kept();
    const opened = event.kind === "opened";
    kept.atMs = event.atMs;
    kept.tunnel = opened ? event.tunnel : null;
    kept.frontend = event.frontend;
    kept.pool = event.pool;
    kept.backend = opened ? event.backend : null;
    kept.refused = opened ? null : event.reason;
    kept.queueMs = event.queueMs;
    kept.lastPick = event.lastPick;
    kept.store = event.store;
    const kernel = event.store.kernelAt(event.lastPick);
    kept.strategy = kernel === undefined ? "" : this.#strategyOf(event.pool, kernel);
    const line = this.#line;
    line.clear();
    if (opened) event.putClient(line);
    else line.text(formatAddress(event.client));
    kept.clientLength = line.copyTo(kept.client);
  }

  /** The latest that fit, the oldest first; each is made when its turn comes. */
  *find({ last, client }: WhyQuery): Generator<DecisionReport> {
    const found: number[] = [];
    for (let age = 1; age <= this.#decisions.length && found.length < last; age++) {
      const number = this.#noted - age;
      const kept = this.#decisions[number % this.most];
      if (kept === undefined) continue;
      if (client === undefined || isFrom(clientOf(kept), client)) found.push(number);
    }
    for (const number of found.reverse()) {
      // A slow reader may come to a decision that has been written over since.
      const kept = this.#decisions[number % this.most];
      if (kept !== undefined && this.#noted - number <= this.most) {
        yield reportDecision(kept, this.#strategyOf);
      }
    }
  }
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

function clientOf({ client, clientLength }: Kept): string {
  return new TextDecoder().decode(client.subarray(0, clientLength));
}

function reportDecision(kept: Kept, strategyOf: StrategyOf): DecisionReport {
  const { atMs, tunnel, frontend, pool, backend, refused, queueMs, lastPick, store, strategy } =
    kept;
  const last = store?.kernelAt(lastPick);
  const picks = store?.chain(lastPick) ?? [];
  return {
    at: new Date(atMs).toISOString(),
    tunnel,
    frontend,
    pool,
    client: clientOf(kept),
    backend,
    refused,
    queueMs,
    picks: picks.flatMap((trace) => {
      const report = reportPick(
        trace,
        pool,
        (pool, kernel) => kernel === last ? strategy : strategyOf(pool, kernel),
      );
      return report === undefined ? [] : [{ at: new Date(trace.atMs).toISOString(), ...report }];
    }),
  };
}
