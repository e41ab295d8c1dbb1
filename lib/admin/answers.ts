// Answers to admin requests, and what is asked of a route.

import type { Answer } from "../core/serving/http.ts";
import { printable } from "../core/values/printable.ts";

/** A request for a resource. */
export interface AdminRequest {
  /** What it came by. */
  readonly by: "socket" | "http";
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** By names in lower case. */
  readonly fields: ReadonlyMap<string, string>;
  /** "": none. */
  readonly body: string;
}

/** A request as its route sees it. */
export interface Asked {
  readonly by: AdminRequest["by"];
  /** What stands in the path for the names of the route. */
  readonly params: Readonly<Record<string, string>>;
  /** What stands behind "?". */
  readonly query: string;
  readonly fields: ReadonlyMap<string, string>;
  readonly body: string;
}

/** An answer that says what is wrong with the request. */
export function fault(
  status: Answer["status"],
  error: string,
  fields: Readonly<Record<string, string>> = {},
): Answer {
  return { ...json(status, { error }), fields };
}

/** An answer in JSON. */
export function json(status: Answer["status"], body: unknown): Answer {
  return { status, body: `${toJson(body)}\n` };
}

/** A value may hold any text, and a client may show the answer on a terminal as it is. */
export function toJson(value: unknown): string {
  return JSON.stringify(
    value,
    (_, inner: unknown) => typeof inner === "string" ? printable(inner) : inner,
  );
}
