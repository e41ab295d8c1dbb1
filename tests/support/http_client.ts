// Asks over TCP in HTTP/1.1 by hand: tests send what no client would.

import { within } from "./wait_for.ts";

export interface HttpRequest {
  readonly method?: string;
  readonly target: string;
  /** Besides Host, which is the address, and the length of the body. */
  readonly fields?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface HttpAnswer {
  readonly status: number;
  /** By names in lower case. */
  readonly fields: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Sends a request and reads the whole answer. */
export function ask(port: number, request: HttpRequest): Promise<HttpAnswer> {
  const { method = "GET", target, fields = {}, body } = request;
  const all = {
    Host: `127.0.0.1:${port}`,
    ...(body === undefined ? {} : {
      "Content-Type": "application/json",
      "Content-Length": String(new TextEncoder().encode(body).length),
    }),
    ...fields,
  };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return askRaw(port, `${method} ${target} HTTP/1.1\r\n${head}\r\n${body ?? ""}`);
}

/**
 * Sends text as it is, and reads until the other side hangs up.
 * @throws {Error} when that is not an answer, which a reset would make of it.
 */
export async function askRaw(port: number, text: string): Promise<HttpAnswer> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const bytes = new TextEncoder().encode(text);
  const sending = (async () => {
    for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
  })();
  // Who is refused half-way is told all the same.
  sending.catch(() => {});
  const answer = await within("the answer to an HTTP request", readAll(conn));
  const [head = "", ...rest] = answer.split("\r\n\r\n");
  const [first = "", ...lines] = head.split("\r\n");
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1];
  if (status === undefined) throw new Error(`This is no answer in HTTP: ${answer.slice(0, 200)}`);
  const fields = lines.map((line) => {
    const at = line.indexOf(":");
    return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()] as const;
  });
  return { status: Number(status), fields: new Map(fields), body: rest.join("\r\n\r\n") };
}

async function readAll(conn: Deno.Conn): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let text = "";
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    text += decoder.decode(buffer.subarray(0, n), { stream: true });
  }
  return text;
}
