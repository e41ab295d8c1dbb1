// What one client of the admin socket or of admin.http sends: its head and its body, each of bounded size, and
// nothing that RFC 9112 leaves open to two readings.

import { type Answer, readHead, type RequestHead } from "../core/serving/http.ts";
import { quote } from "../schema/quote.ts";
import { fault } from "./answers.ts";

/** Head of a request: request line and fields. */
const MAX_HEAD_BYTES = 8192;
/** Bodies of orders are small. */
const MAX_BODY_BYTES = 65_536;

/** The head of a request that can be answered. */
export interface SoundHead extends RequestHead {
  readonly target: string;
}

/** A part of a request, or what is answered where it is wrong. */
export type Received<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly answer: Answer };

export class AdminConnection {
  readonly #conn: Deno.Conn;
  readonly #head = new Uint8Array(MAX_HEAD_BYTES);
  #length = 0;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Waits for the whole head. */
  async head(): Promise<Received<SoundHead>> {
    const decoder = new TextDecoder("latin1");
    while (this.#length < this.#head.length) {
      const count = await this.#conn.read(this.#head.subarray(this.#length));
      if (count === null) return wrong(400, "the head of the request ends too soon");
      this.#length += count;
      const head = readHead(decoder.decode(this.#head.subarray(0, this.#length)));
      if (head !== undefined) return soundHead(head);
    }
    return wrong(
      431,
      `Cannot read the head of the request: expected at most ${MAX_HEAD_BYTES} bytes`,
    );
  }

  /** Waits for the whole body that the head announces. */
  async body({ fields, length }: SoundHead): Promise<Received<string>> {
    const size = Number(fields.get("content-length") ?? "0");
    if (size > MAX_BODY_BYTES) {
      return wrong(413, `Cannot read ${size} bytes: expected at most ${MAX_BODY_BYTES}`);
    }
    const body = new Uint8Array(size);
    const begun = this.#head.subarray(length, Math.min(this.#length, length + size));
    body.set(begun);
    for (let filled = begun.length; filled < size;) {
      const count = await this.#conn.read(body.subarray(filled));
      if (count === null) {
        return wrong(400, `Cannot read ${size} bytes: the body ends at ${filled}`);
      }
      filled += count;
    }
    try {
      return { ok: true, value: new TextDecoder("utf-8", { fatal: true }).decode(body) };
    } catch {
      return wrong(400, "Cannot read the body: expected UTF-8");
    }
  }

  /** Reads on to the end: what is not read when the connection is closed would reset the answer away. */
  async leave(): Promise<void> {
    await this.#conn.closeWrite();
    while (await this.#conn.read(this.#head) !== null);
  }
}

function wrong(status: Answer["status"], error: string): Received<never> {
  return { ok: false, answer: fault(status, error) };
}

function soundHead(head: RequestHead): Received<SoundHead> {
  const { target, flaw, fields } = head;
  if (target === undefined) return wrong(400, "expected an HTTP/1.1 request");
  if (flaw !== undefined) return wrong(400, flaw);
  if (fields.has("transfer-encoding")) {
    return wrong(411, "Transfer-Encoding: Cannot read it: expected Content-Length");
  }
  const length = fields.get("content-length");
  if (length !== undefined && !/^\d{1,9}$/.test(length)) {
    return wrong(400, `Content-Length: Cannot read ${quote(length)}: expected a number`);
  }
  if (!target.startsWith("/")) return wrong(400, `Cannot read ${quote(target)}: expected a path`);
  return { ok: true, value: { ...head, target } };
}
