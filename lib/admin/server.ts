// The admin socket: HTTP/1.1 over a unix socket, so that curl --unix-socket can ask it too. One request a
// connection; routes.ts says which. Not Deno.serve: that ends the process when descriptors run out while
// it accepts.

import { acceptEach } from "../core/serving/accept_loop.ts";
import {
  type Answer,
  formatAnswer,
  readHead,
  type RequestHead,
  sendText,
} from "../core/serving/http.ts";
import { ServedClients } from "../core/serving/served_clients.ts";
import type { Clock } from "../core/timing/clock.ts";
import { answerAdmin, fault, type Reports } from "./routes.ts";

/** Head of a request: request line and fields. */
const MAX_HEAD_BYTES = 8192;
/** A client is let go of after so long, whatever it does. */
const TIMEOUT_MS = 5000;
/** At a time: a few people and monitors ask. */
const MOST_CLIENTS = 32;

export class AdminServer implements AsyncDisposable {
  readonly #listener: Deno.UnixListener;
  readonly #loop: Promise<void>;
  readonly #reports: Reports;
  readonly #clients: ServedClients<Deno.Conn>;

  /** @param listener of listenAt; closed at the end. */
  constructor(listener: Deno.UnixListener, clock: Clock, reports: Reports) {
    this.#listener = listener;
    this.#reports = reports;
    this.#clients = new ServedClients({
      clock,
      most: MOST_CLIENTS,
      limitMs: TIMEOUT_MS,
      serve: async (conn, { progressed }) => {
        const head = await receiveHead(conn);
        progressed();
        for (const piece of formatAnswer(this.#answer(head), head.method)) {
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

  #answer({ method, target }: RequestHead): Answer {
    if (target === undefined) return fault(400, "expected an HTTP/1.1 request");
    return answerAdmin(this.#reports, method, target);
  }
}

/** Waits for the whole head; one that is too long, or ends before, is none. */
async function receiveHead(conn: Deno.Conn): Promise<RequestHead> {
  const bytes = new Uint8Array(MAX_HEAD_BYTES);
  const decoder = new TextDecoder("latin1");
  let length = 0;
  while (length < bytes.length) {
    const count = await conn.read(bytes.subarray(length));
    if (count === null) break;
    length += count;
    const head = readHead(decoder.decode(bytes.subarray(0, length)));
    if (head !== undefined) return head;
  }
  return { kind: "request", method: "", target: undefined };
}
