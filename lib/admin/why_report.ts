// Why connections landed where they did: the shape of `why --json` and of GET /v1/why.

import type { PickReport } from "../core/pick/pick_report.ts";
import { failure, type Result, success } from "../core/values/result.ts";

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

/** Reads a number of decisions; undefined when it is none from 1 to {@linkcode MOST_DECISIONS}. */
export function parseLast(text: string): number | undefined {
  const last = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : 0;
  return last >= 1 && last <= MOST_DECISIONS ? last : undefined;
}

/** Writes a query as the resource that the admin socket knows. */
export function whyResource({ last, client }: WhyQuery): string {
  const only = client === undefined ? "" : `&client=${encodeURIComponent(client)}`;
  return `/v1/why?last=${last}${only}`;
}

/** Reads the query of a resource; the message says what is wrong with it. */
export function parseWhyQuery(query: string): Result<WhyQuery> {
  let last = 1;
  let client: string | undefined;
  for (const [key, value] of new URLSearchParams(query)) {
    if (key === "client") client = value;
    else if (key === "last") {
      const parsed = parseLast(value);
      if (parsed === undefined) {
        return failure(`Cannot read "${value}" as last: expected 1 to ${MOST_DECISIONS}`);
      }
      last = parsed;
    } else return failure(`Unknown parameter "${key}": expected last, client`);
  }
  return success({ last, ...(client === undefined ? {} : { client }) });
}

/** Tells whether a value that came over the socket is a report that this version can show. */
export function isWhyReport(value: unknown): value is WhyReport {
  return typeof value === "object" && value !== null &&
    "version" in value && typeof value.version === "string" &&
    "decisions" in value && Array.isArray(value.decisions);
}
