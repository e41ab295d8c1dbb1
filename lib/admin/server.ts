// The admin socket: HTTP/1.1 over a unix socket, so that curl --unix-socket can ask it too. One request a
// connection. Not Deno.serve: that ends the process when descriptors run out while it accepts.
//
//   GET /v1/status                     the StatusReport
//   GET /v1/why?last=N&client=ADDRESS   the WhyReport: 1 when last is absent, all clients without client

import { acceptEach } from "../core/serving/accept_loop.ts";
import type { Clock } from "../core/timing/clock.ts";
import { printable } from "../core/values/printable.ts";
import { ServedClients } from "../core/serving/served_clients.ts";
import { listenAt } from "./listen.ts";
import type { StatusReport } from "./report.ts";
import { type DecisionReport, parseWhyQuery, type WhyQuery, type WhyReport } from "./why_report.ts";

/** A WhyReport of which each decision is made when its turn comes: all of them take megabytes. */
export type WhyAnswer = Omit<WhyReport, "decisions"> & {
  readonly decisions: Iterable<DecisionReport>;
};

export interface AdminHandlers {
  status(): StatusReport;
  why(query: WhyQuery): WhyAnswer;
}

/** Head of a request: request line and fields. */
const MAX_HEAD_BYTES = 8192;
/** A client is let go of after so long, whatever it does. */
const TIMEOUT_MS = 5000;
/** At a time: a few people and monitors ask. */
const MOST_CLIENTS = 32;
/** An answer is made in pieces of at least so many characters, the next once the last is sent. */
const PIECE_LENGTH = 65_536;

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
};

export class AdminServer implements AsyncDisposable {
  readonly #listener: Deno.UnixListener;
  readonly #loop: Promise<void>;
  readonly #handlers: AdminHandlers;
  readonly #clients: ServedClients<Deno.Conn>;

  private constructor(
    readonly path: string,
    listener: Deno.UnixListener,
    clock: Clock,
    handlers: AdminHandlers,
  ) {
    this.#listener = listener;
    this.#handlers = handlers;
    this.#clients = new ServedClients({
      clock,
      most: MOST_CLIENTS,
      limitMs: TIMEOUT_MS,
      serve: async (conn, { progressed }) => {
        const head = await readHead(conn);
        progressed();
        for (const piece of piecesOf(this.#respond(head))) {
          await writeAll(conn, piece);
          progressed();
        }
      },
    });
    this.#loop = acceptEach(listener, clock, (conn) => this.#clients.admit(conn));
  }

  /**
   * Listens. A file left behind by a process that died is replaced.
   * @throws {Error} when another process listens there, or the path cannot be used.
   */
  static async start(path: string, clock: Clock, handlers: AdminHandlers): Promise<AdminServer> {
    return new AdminServer(path, await listenAt(path, clock), clock, handlers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#loop;
    // Who asks nothing, or takes no answer, must not hold up the end.
    await this.#clients[Symbol.asyncDispose]();
  }

  #respond(head: string): Iterable<string> {
    const [, method, target] = /^([A-Z]+) (\S+) HTTP\/1\.[01]\r?$/m.exec(head) ?? [];
    if (method === undefined) return response(400, { error: "expected an HTTP/1.1 request" });
    const [, path, query = ""] = /^([^?]*)\??(.*)$/.exec(target ?? "") ?? [];
    if (path !== "/v1/status" && path !== "/v1/why") {
      return response(404, { error: `no such resource: ${target}` });
    }
    if (method !== "GET") return response(405, { error: `${method} is not allowed here: use GET` });
    if (path === "/v1/status") return response(200, this.#handlers.status());
    const asked = parseWhyQuery(query);
    if (!asked.ok) return response(400, { error: asked.message });
    return whyResponse(this.#handlers.why(asked.value));
  }
}

async function readHead(conn: Deno.Conn): Promise<string> {
  const bytes = new Uint8Array(MAX_HEAD_BYTES);
  const decoder = new TextDecoder("latin1");
  let length = 0;
  while (length < bytes.length) {
    const count = await conn.read(bytes.subarray(length));
    if (count === null) break;
    length += count;
    const head = decoder.decode(bytes.subarray(0, length));
    if (/\r?\n\r?\n/.test(head)) return head;
  }
  return "";
}

async function writeAll(conn: Deno.Conn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/** Puts small parts together. */
function* piecesOf(parts: Iterable<string>): Generator<string> {
  let piece = "";
  for (const part of parts) {
    piece += part;
    if (piece.length < PIECE_LENGTH) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}

function response(status: number, body: unknown): string[] {
  const json = toJson(body) + "\n";
  const length = new TextEncoder().encode(json).length;
  return [headOf(status, `content-length: ${length}\r\n`), json];
}

/** The end of the connection is the end of the answer, which is not made beforehand. */
function* whyResponse({ decisions, ...rest }: WhyAnswer): Generator<string> {
  yield headOf(200, "");
  yield `${toJson(rest).slice(0, -1)},"decisions":[`;
  let separator = "";
  for (const decision of decisions) {
    yield separator + toJson(decision);
    separator = ",";
  }
  yield "]}\n";
}

function headOf(status: number, fields: string): string {
  return `HTTP/1.1 ${status} ${REASONS[status]}\r\ncontent-type: application/json\r\n${fields}` +
    "connection: close\r\n\r\n";
}

/** What stands in it may be anything, and whoever asks may show it on a terminal as it is. */
function toJson(value: unknown): string {
  return JSON.stringify(
    value,
    (_, inner: unknown) => typeof inner === "string" ? printable(inner) : inner,
  );
}
