// Why connections landed where they did: the shape of `why --json` and of GET /v1/why.

import type { PickReport } from "../core/pick/pick_report.ts";
import { integer } from "../schema/values.ts";

export interface WhyReport {
  readonly version: string;
  readonly now: string;
  /** The oldest first. */
  readonly decisions: readonly DecisionReport[];
}

/** One connection: a client that got a backend, or none. */
export interface DecisionReport {
  /** When it had its backend, or was turned away. */
  readonly at: string;
  /** As in the access log; null for a client that got no backend. */
  readonly tunnel: number | null;
  readonly frontend: string;
  readonly pool: string;
  readonly client: string;
  readonly backend: string | null;
  /** Why it got none: no_backend, connect_failed, denied, frontend_full, or what else RefusalReason has. */
  readonly refused: string | null;
  /** How long it waited for a place in the pool's queue. */
  readonly queueMs: number;
  /** Every pick in order; empty when nobody was looked for, or the record of it was lost. */
  readonly picks: readonly PickReport[];
}

/** What `why` asks for. */
export interface WhyQuery {
  /** At most so many, the latest. */
  readonly last: number;
  /** Only of clients whose address is this, or begins with it. */
  readonly client?: string;
}

/** The most decisions that are remembered. */
export const MOST_DECISIONS = 1024;

/** A number of decisions. */
export const decisions = integer(1, MOST_DECISIONS);

/** Writes a query as the resource that the admin socket knows. */
export function whyResource({ last, client }: WhyQuery): string {
  const only = client === undefined ? "" : `&client=${encodeURIComponent(client)}`;
  return `/v1/why?last=${last}${only}`;
}

/** Tells whether a value that came over the socket is a report that this version can show. */
export function isWhyReport(value: unknown): value is WhyReport {
  return typeof value === "object" && value !== null &&
    "version" in value && typeof value.version === "string" &&
    "decisions" in value && Array.isArray(value.decisions);
}
