// The admin socket: HTTP/1.1 over a unix socket, so that curl --unix-socket can ask it too. One request a
// connection. Not Deno.serve: that ends the process when descriptors run out while it accepts.
//
//   GET /v1/status                     the StatusReport
//   GET /v1/why?last=N&client=ADDRESS   the WhyReport: 1 when last is absent, all clients without client

import { acceptEach, closeQuietly } from "../core/accept_loop.ts";
import type { Clock } from "../core/clock.ts";
import { classify, listenHint, messageOf } from "../core/errors.ts";
import { printable } from "../core/printable.ts";
import type { StatusReport } from "./report.ts";
import { parseWhyQuery, type WhyQuery, type WhyReport } from "./why_report.ts";

export interface AdminHandlers {
  status(): StatusReport;
  why(query: WhyQuery): WhyReport;
}

/** Head of a request: request line and fields. */
const MAX_HEAD_BYTES = 8192;
const TIMEOUT_MS = 5000;

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
};

export class AdminServer implements AsyncDisposable {
  readonly #listener: Deno.UnixListener;
  readonly #loop: Promise<void>;
  readonly #clock: Clock;
  readonly #handlers: AdminHandlers;
  readonly #answering = new Set<Promise<void>>();
  /** Of those who have not asked yet. */
  readonly #listening = new Set<Deno.Conn>();

  private constructor(
    readonly path: string,
    listener: Deno.UnixListener,
    clock: Clock,
    handlers: AdminHandlers,
  ) {
    this.#listener = listener;
    this.#clock = clock;
    this.#handlers = handlers;
    this.#loop = acceptEach(listener, clock, (conn) => {
      const answered = this.#answer(conn).finally(() => this.#answering.delete(answered));
      this.#answering.add(answered);
    });
  }

  /**
   * Listens. A file left behind by a process that died is replaced.
   * @throws {Error} when another process listens there, or the path cannot be used.
   */
  static async start(path: string, clock: Clock, handlers: AdminHandlers): Promise<AdminServer> {
    await removeStale(path);
    // Made with its final mode: a chmod afterwards could be led elsewhere by a symbolic link.
    const umask = Deno.umask(0o117);
    try {
      const listener = Deno.listen({ transport: "unix", path });
      return new AdminServer(path, listener, clock, handlers);
    } catch (error) {
      const why = `${messageOf(error)}${listenHint(error, { transport: "unix", path })}`;
      throw new Error(`Cannot listen on unix:${path}: ${why}`, { cause: error });
    } finally {
      Deno.umask(umask);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#loop;
    // Who holds a connection open and asks nothing must not hold up the end.
    for (const conn of this.#listening) closeQuietly(conn);
    await Promise.all(this.#answering);
  }

  async #answer(conn: Deno.Conn): Promise<void> {
    const finished = new AbortController();
    const deadline = this.#clock.sleep(TIMEOUT_MS, finished.signal)
      .then(() => closeQuietly(conn), () => {});
    this.#listening.add(conn);
    try {
      const head = await readHead(conn);
      this.#listening.delete(conn);
      const bytes = new TextEncoder().encode(this.#respond(head));
      for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
    } catch {
      // Whoever asked has left, or was too slow.
    } finally {
      this.#listening.delete(conn);
      finished.abort();
      closeQuietly(conn);
      await deadline;
    }
  }

  #respond(head: string): string {
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
    return response(200, this.#handlers.why(asked.value));
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

function response(status: number, body: unknown): string {
  // Whoever asks may show it on a terminal as it is.
  const json = JSON.stringify(
    body,
    (_, value: unknown) => typeof value === "string" ? printable(value) : value,
  ) + "\n";
  return `HTTP/1.1 ${status} ${REASONS[status]}\r\ncontent-type: application/json\r\n` +
    `content-length: ${new TextEncoder().encode(json).length}\r\nconnection: close\r\n\r\n${json}`;
}

async function removeStale(path: string): Promise<void> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (classify(error) !== "refused") throw error;
    // A connection to an ordinary file is refused as well; that one is not ours to remove.
    if ((await Deno.lstat(path)).isSocket !== true) {
      throw new Deno.errors.AddrInUse(`Cannot listen on unix:${path}: it is no socket`);
    }
    await Deno.remove(path);
    return;
  }
  throw new Deno.errors.AddrInUse(`Cannot listen on unix:${path}: another process listens there`);
}
