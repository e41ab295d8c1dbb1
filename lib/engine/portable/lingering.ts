// Refused clients that are told why: they are sent a text and its end, and what they send is read and thrown
// away until they close. A socket that is closed with input unread sends a reset, and a reset can destroy what
// the client has not read yet. There are few of them at a time, each for a short time, and they give way when
// descriptors are short.

import { closeQuietly } from "../../core/serving/accept_loop.ts";

/** Clients that linger at a time; those beyond are closed at once. */
const MOST_LINGERING = 256;
/** How long a client may take to read and close. */
const LINGER_MS = 2000;
/** What is thrown away of one client; an ssh client sends some 2 KiB before it reads. */
const MOST_BYTES = 64 * 1024;
const WASTE_BYTES = 4096;

export class Lingering {
  readonly #conns = new Set<Deno.Conn>();
  readonly #lingering = new Set<Promise<void>>();

  /** Sees a refused client off; without a text, or when there are too many, it is closed at once. */
  seeOff(conn: Deno.Conn, text: Uint8Array<ArrayBuffer> | undefined): void {
    if (text === undefined || this.#conns.size >= MOST_LINGERING) {
      closeQuietly(conn);
      return;
    }
    this.#conns.add(conn);
    const done = this.#linger(conn, text).finally(() => this.#lingering.delete(done));
    this.#lingering.add(done);
  }

  /** All give their descriptors to others. */
  giveWay(): void {
    for (const conn of this.#conns) this.#end(conn);
  }

  /** Resolves when nobody lingers any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.giveWay();
    await Promise.all(this.#lingering);
  }

  /** Never rejects: a client that breaks off is no failure. */
  async #linger(conn: Deno.Conn, text: Uint8Array<ArrayBuffer>): Promise<void> {
    const timer = setTimeout(() => this.#end(conn), LINGER_MS);
    const waste = new Uint8Array(WASTE_BYTES);
    try {
      for (let at = 0; at < text.length;) at += await conn.write(text.subarray(at));
      await conn.closeWrite();
      for (let thrown = 0; thrown < MOST_BYTES;) {
        const count = await conn.read(waste);
        if (count === null) break;
        thrown += count;
      }
    } catch {
      // Reset by the client, or closed by us.
    }
    clearTimeout(timer);
    this.#end(conn);
  }

  #end(conn: Deno.Conn): void {
    if (this.#conns.delete(conn)) closeQuietly(conn);
  }
}
