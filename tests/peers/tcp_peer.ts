// TCP and unix-socket servers with scripted behaviour, for tests.

import { closeQuietly } from "../../lib/core/serving/accept_loop.ts";
import { readAll } from "../support/bytes.ts";

/** What a peer does with one connection; it may close it, and what is left open is closed afterwards. */
export type Script = (conn: Deno.Conn, peer: TcpPeer) => Promise<void>;

export class TcpPeer implements AsyncDisposable {
  readonly #listener: Deno.Listener;
  readonly #loop: Promise<void>;
  readonly #scripts = new Set<Promise<void>>();
  /** Connections that stand. */
  readonly open = new Set<Deno.Conn>();
  /** Connections ever accepted. */
  accepted = 0;

  /** Listens on a free port of `hostname`, or on the unix socket `path`. */
  constructor(
    readonly script: Script,
    where: { hostname?: string; port?: number; path?: string } = {},
  ) {
    this.#listener = where.path === undefined
      ? Deno.listen({ hostname: where.hostname ?? "127.0.0.1", port: where.port ?? 0 })
      : Deno.listen({ transport: "unix", path: where.path });
    this.#loop = this.#accept();
  }

  get port(): number {
    const { addr } = this.#listener;
    return addr.transport === "tcp" ? addr.port : 0;
  }

  get address(): string {
    const { addr } = this.#listener;
    if (addr.transport === "tcp") {
      return addr.hostname.includes(":")
        ? `[${addr.hostname}]:${addr.port}`
        : `${addr.hostname}:${addr.port}`;
    }
    return "path" in addr ? `unix:${addr.path}` : "";
  }

  /** Stops listening; what stands goes on. */
  async refuse(): Promise<void> {
    closeQuietly(this.#listener);
    await this.#loop;
  }

  /** Dies: stops listening and closes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.refuse();
    for (const conn of this.open) closeQuietly(conn);
    await Promise.all(this.#scripts);
  }

  async #accept(): Promise<void> {
    for (;;) {
      let conn: Deno.Conn;
      try {
        conn = await this.#listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return;
        if (error instanceof Deno.errors.Interrupted) return;
        continue;
      }
      this.accepted++;
      this.open.add(conn);
      const running = this.script(conn, this).catch(() => {}).finally(() => {
        closeQuietly(conn);
        this.open.delete(conn);
        this.#scripts.delete(running);
      });
      this.#scripts.add(running);
    }
  }
}

/** Sends back what it gets, and its end of file too. */
export async function echo(conn: Deno.Conn, _peer?: TcpPeer): Promise<void> {
  const buffer = new Uint8Array(65_536);
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    for (let at = 0; at < n;) at += await conn.write(buffer.subarray(at, n));
  }
  await conn.closeWrite();
}

/** Speaks first, as sshd does, then echoes. */
export function greetThenEcho(greeting: string): Script {
  return async (conn, peer) => {
    await conn.write(new TextEncoder().encode(greeting));
    await echo(conn, peer);
  };
}

/** Reads everything up to end of file, then answers with what `reply` makes of it. */
export function answerAtEnd(
  reply: (request: Uint8Array<ArrayBuffer>) => Uint8Array,
): Script {
  return async (conn) => {
    const answer = reply(await readAll(conn));
    for (let at = 0; at < answer.length;) at += await conn.write(answer.subarray(at));
    await conn.closeWrite();
  };
}

/** Accepts and never says or reads anything until it is closed from outside. */
export async function silent(conn: Deno.Conn): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const close = conn.close.bind(conn);
  conn.close = () => {
    close();
    resolve();
  };
  await promise;
}
