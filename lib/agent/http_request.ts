// Tells HTTP requests from what agent-check clients send, and answers them. Pure.

import { type Answer, readHead, type RequestHead } from "../core/serving/http.ts";

/** What the first bytes of a client are. */
export type FirstBytes =
  /** A request whose head is complete. */
  | RequestHead
  /** The start of a request, or of what may become one. */
  | { readonly kind: "incomplete" }
  /** Anything else: a line of agent-send. */
  | { readonly kind: "line" };

const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];

/** Reads what has come so far, at least one byte of it. */
export function readFirstBytes(text: string): FirstBytes {
  if (METHODS.some((name) => text.startsWith(`${name} `))) {
    return readHead(text) ?? { kind: "incomplete" };
  }
  return { kind: METHODS.some((name) => `${name} `.startsWith(text)) ? "incomplete" : "line" };
}

/** What is answered to a request; the figures, whatever the path. */
export function answerTo(
  { method, target }: Pick<RequestHead, "method" | "target">,
  json: string,
): Answer {
  if (target === undefined) return { status: 400, body: "" };
  if (method !== "GET" && method !== "HEAD") {
    return { status: 405, fields: { "Allow": "GET, HEAD" }, body: "" };
  }
  return { status: 200, fields: { "Cache-Control": "no-store" }, body: json };
}
