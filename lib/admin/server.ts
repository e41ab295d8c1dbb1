// The admin socket: HTTP/1.1 over a unix socket, so that curl --unix-socket can ask it too. One request a
// connection; routes.ts says which. Not Deno.serve: that ends the process when descriptors run out while
// it accepts.

import { acceptEach } from "../core/serving/accept_loop.ts";
import {
  type Answer,
  formatAnswer,
  NO_REQUEST,
  readHead,
  type RequestHead,
  sendText,
} from "../core/serving/http.ts";
import { ServedClients } from "../core/serving/served_clients.ts";
import type { Clock } from "../core/timing/clock.ts";
import { quote } from "../schema/quote.ts";
import { fault } from "./answers.ts";
import { answerAdmin, type Balancer } from "./routes.ts";

/** Head of a request: request line and fields. */
const MAX_HEAD_BYTES = 8192;
/** Bodies of orders are small. */
const MAX_BODY_BYTES = 65_536;
/** A client is let go of after so long, whatever it does. */
const TIMEOUT_MS = 5000;
/** What is ordered may take longer: names are looked up, a disk is waited for. */
const ORDER_MS = 60_000;
/** At a time: a few people and monitors ask. */
const MOST_CLIENTS = 32;

export class AdminServer implements AsyncDisposable {
  readonly #listener: Deno.UnixListener;
  readonly #loop: Promise<void>;
  readonly #balancer: Balancer;
  readonly #clients: ServedClients<Deno.Conn>;

  /** @param listener of listenAt; closed at the end. */
  constructor(listener: Deno.UnixListener, clock: Clock, balancer: Balancer) {
    this.#listener = listener;
    this.#balancer = balancer;
    this.#clients = new ServedClients({
      clock,
      most: MOST_CLIENTS,
      limitMs: TIMEOUT_MS,
      serve: async (conn, { progressed, allow }) => {
        const request = new Request(conn);
        const head = await request.receiveHead();
        const body = await request.receiveBody(head);
        progressed();
        if (head.method !== "GET") allow(ORDER_MS);
        const answer = typeof body === "string" ? await this.#answer(head, body) : body;
        for (const piece of formatAnswer(answer, head.method)) {
          await sendText(conn, piece);
          progressed();
        }
      },
    });
    this.#loop = acceptEach(listener, clock, (conn) => this.#clients.admit(conn));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#loop;
    // Who asks nothing, or takes no answer, must not hold up the end.
    await this.#clients[Symbol.asyncDispose]();
  }

  async #answer({ method, target, fields }: RequestHead, body: string): Promise<Answer> {
    if (target === undefined) return fault(400, "expected an HTTP/1.1 request");
    return await answerAdmin(this.#balancer, { method, target, fields, body });
  }
}

/** What one client sends. */
class Request {
  readonly #conn: Deno.Conn;
  readonly #head = new Uint8Array(MAX_HEAD_BYTES);
  #length = 0;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Waits for the whole head; one that is too long, or ends before, is none. */
  async receiveHead(): Promise<RequestHead> {
    const decoder = new TextDecoder("latin1");
    while (this.#length < this.#head.length) {
      const count = await this.#conn.read(this.#head.subarray(this.#length));
      if (count === null) break;
      this.#length += count;
      const head = readHead(decoder.decode(this.#head.subarray(0, this.#length)));
      if (head !== undefined) return head;
    }
    return NO_REQUEST;
  }

  /** Waits for the whole body that the head announces; or what is wrong with it. */
  async receiveBody({ fields, length }: RequestHead): Promise<string | Answer> {
    if (fields.has("transfer-encoding")) {
      return fault(400, "Transfer-Encoding: Cannot read it: expected Content-Length");
    }
    const announced = fields.get("content-length") ?? "0";
    const size = /^\d{1,9}$/.test(announced) ? Number(announced) : NaN;
    if (Number.isNaN(size)) {
      return fault(400, `Content-Length: Cannot read ${quote(announced)}: expected a number`);
    }
    if (size > MAX_BODY_BYTES) {
      return fault(413, `Cannot read ${size} bytes: expected at most ${MAX_BODY_BYTES}`);
    }
    const body = new Uint8Array(size);
    const begun = this.#head.subarray(length, Math.min(this.#length, length + size));
    body.set(begun);
    for (let filled = begun.length; filled < size;) {
      const count = await this.#conn.read(body.subarray(filled));
      if (count === null) {
        return fault(400, `Cannot read ${size} bytes: the body ends at ${filled}`);
      }
      filled += count;
    }
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(body);
    } catch {
      return fault(400, "Cannot read the body: expected UTF-8");
    }
  }
}
