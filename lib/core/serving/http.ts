// HTTP/1.1 as our small servers speak it: one request a connection, bodies of JSON. Reads heads of requests
// and writes answers; who reads and writes the bytes, and until when, is the server's affair. Pure.

/** The head of a request (RFC 9112). */
export interface RequestHead {
  readonly kind: "request";
  readonly method: string;
  /** Path and query; undefined when the first line is no request of HTTP/1. */
  readonly target: string | undefined;
}

/** What is answered to a request. */
export interface Answer {
  readonly status: keyof typeof REASONS;
  /** Fields of the head besides those of every answer. */
  readonly fields?: Readonly<Record<string, string>>;
  /** In parts when it is made while it is sent: the end of the connection is its end then. */
  readonly body: string | Iterable<string>;
}

const REASONS = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  503: "Service Unavailable",
} as const;

/** A body is sent in pieces of at least this many characters, the next once the last is sent. */
const PIECE_LENGTH = 65_536;

/** Reads what has come so far; undefined until the empty line that ends the head. */
export function readHead(text: string): RequestHead | undefined {
  if (!/\r?\n\r?\n/.test(text)) return undefined;
  const [, method = "", target] = /^([A-Z]+) ([\x21-\x7e]+) HTTP\/1\.[01]\r?\n/.exec(text) ?? [];
  return { kind: "request", method, target };
}

/** Writes an answer, in pieces; HEAD gets its head alone. */
export function* formatAnswer({ status, fields, body }: Answer, method: string): Generator<string> {
  const isWhole = typeof body === "string";
  const lines = [
    `HTTP/1.1 ${status} ${REASONS[status]}`,
    ...Object.entries({
      ...(body === "" ? {} : { "Content-Type": "application/json" }),
      ...fields,
      ...(isWhole ? { "Content-Length": new TextEncoder().encode(body).length } : {}),
      "Connection": "close",
    }).map(([name, value]) => `${name}: ${value}`),
  ];
  let piece = `${lines.join("\r\n")}\r\n\r\n`;
  for (const part of method === "HEAD" ? [] : isWhole ? [body] : body) {
    piece += part;
    if (piece.length < PIECE_LENGTH) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}

/** Sends text whole. */
export async function sendText(
  conn: { write(bytes: Uint8Array): Promise<number> },
  text: string,
): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
}
