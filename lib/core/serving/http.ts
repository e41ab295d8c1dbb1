// HTTP/1.1 as our small servers speak it: one request a connection, bodies of JSON. Reads heads of requests
// and writes answers; who reads and writes the bytes, and until when, is the server's affair. Pure.

/** The head of a request (RFC 9112). */
export interface RequestHead {
  readonly kind: "request";
  readonly method: string;
  /** Path and query; undefined when the first line is no request of HTTP/1. */
  readonly target: string | undefined;
  /** By names in lower case; of a field that is given twice, the values in a list. */
  readonly fields: ReadonlyMap<string, string>;
  /** What RFC 9112 forbids in it; undefined: nothing. */
  readonly flaw: string | undefined;
  /** Characters of the head with its empty line, as latin1 bytes. */
  readonly length: number;
}

/** What is no request: its head is too long, or ends too soon. */
export const NO_REQUEST: RequestHead = {
  kind: "request",
  method: "",
  target: undefined,
  fields: new Map(),
  flaw: undefined,
  length: 0,
};

/** What is answered to a request. */
export interface Answer {
  readonly status: AnswerStatus;
  /** Fields of the head besides those of every answer. */
  readonly fields?: Readonly<Record<string, string>>;
  /** In parts when it is made while it is sent: the end of the connection is its end then. */
  readonly body: string | Iterable<string>;
}

/** What can be answered, and what it is called. */
export const REASONS = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  411: "Length Required",
  412: "Precondition Failed",
  413: "Content Too Large",
  422: "Unprocessable Content",
  415: "Unsupported Media Type",
  431: "Request Header Fields Too Large",
  503: "Service Unavailable",
} as const;

export type AnswerStatus = keyof typeof REASONS;

/** A body is sent in pieces of at least this many characters, the next once the last is sent. */
const PIECE_LENGTH = 65_536;

/** A field of a head. No line goes on with the next one, and no space stands before the colon. */
const FIELD = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;

/** Fields of which a proxy in between could read another one than we do, were they given twice. */
const ONLY_ONCE = ["host", "content-length", "transfer-encoding"];

/** Reads what has come so far; undefined until the empty line that ends the head. */
export function readHead(text: string): RequestHead | undefined {
  const end = /\r?\n\r?\n/.exec(text);
  if (end === null) return undefined;
  const [, method = "", target, version] =
    /^([A-Z]+) ([\x21-\x7e]+) HTTP\/1\.([01])\r?\n/.exec(text) ?? [];
  const [, ...lines] = text.slice(0, end.index).split(/\r?\n/);
  const fields = new Map<string, string>();
  let flaw: string | undefined;
  for (const line of lines) {
    const [, name = "", value = ""] = FIELD.exec(line) ?? [];
    const key = name.toLowerCase();
    const before = fields.get(key);
    if (key === "") {
      flaw ??= "Cannot read the head: expected a name, a colon and a value on each line";
    } else if (before === undefined) fields.set(key, value);
    else {
      fields.set(key, `${before}, ${value}`);
      if (ONLY_ONCE.includes(key)) flaw ??= `Cannot read ${name} twice: expected it once`;
    }
  }
  if (version === "1" && !fields.has("host")) flaw ??= "Host: it is missing";
  if (fields.has("content-length") && fields.has("transfer-encoding")) {
    flaw ??= "Cannot read Content-Length beside Transfer-Encoding: expected one of them";
  }
  return { kind: "request", method, target, fields, flaw, length: end.index + end[0].length };
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
