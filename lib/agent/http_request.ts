// Tells HTTP requests from what agent-check clients send, as far as the agent needs it. Pure.

/** What the first bytes of a client are. */
export type FirstBytes =
  /** A request whose header is complete. */
  | { readonly kind: "request"; readonly method: string; readonly wellFormed: boolean }
  /** The start of a request, or of what may become one. */
  | { readonly kind: "incomplete" }
  /** Anything else: a line of agent-send. */
  | { readonly kind: "line" };

const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];

/** Reads what has come so far, at least one byte of it. */
export function readFirstBytes(text: string): FirstBytes {
  const method = METHODS.find((name) => text.startsWith(`${name} `));
  if (method === undefined) {
    return METHODS.some((name) => `${name} `.startsWith(text))
      ? { kind: "incomplete" }
      : { kind: "line" };
  }
  if (!/\r?\n\r?\n/.test(text)) return { kind: "incomplete" };
  const wellFormed = /^[A-Z]+ [\x21-\x7e]+ HTTP\/1\.[01]\r?\n/.test(text);
  return { kind: "request", method, wellFormed };
}

/** Writes a response to a request; HEAD gets its header alone. */
export function formatResponse(
  { method, wellFormed }: FirstBytes & { readonly kind: "request" },
  json: string,
): string {
  if (!wellFormed) return response("400 Bad Request", [], "", false);
  if (method !== "GET" && method !== "HEAD") {
    return response("405 Method Not Allowed", ["Allow: GET, HEAD"], "", false);
  }
  const header = ["Content-Type: application/json", "Cache-Control: no-store"];
  return response("200 OK", header, json, method === "HEAD");
}

function response(status: string, header: string[], body: string, bodiless: boolean): string {
  const length = new TextEncoder().encode(body).length;
  const lines = [
    `HTTP/1.1 ${status}`,
    ...header,
    `Content-Length: ${length}`,
    "Connection: close",
  ];
  return `${lines.join("\r\n")}\r\n\r\n${bodiless ? "" : body}`;
}
