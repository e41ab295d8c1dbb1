// What waits to be written to a connection: in order, of bounded size, one write at a time.

import { joinedBytes } from "../core/values/joined_bytes.ts";

/** More than the ends of all sessions of a large site take. */
const MOST_BYTES = 1_048_576;

interface Told {
  /**
   * The connection has taken all that was put.
   * @param lost whether some of it was not kept meanwhile for lack of room.
   */
  readonly drained: (lost: boolean) => void;
  /** It takes nothing any more. */
  readonly failed: (error: unknown) => void;
}

export class Outbox {
  readonly #conn: Pick<Deno.Conn, "write">;
  readonly #told: Told;
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  #lost = false;
  #writing: Promise<void> | undefined;

  constructor(conn: Pick<Deno.Conn, "write">, told: Told) {
    this.#conn = conn;
    this.#told = told;
  }

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.#writing === undefined;
  }

  /** Has bytes written; without room for them, they are lost. */
  put(bytes: Uint8Array): void {
    if (this.#bytes + bytes.length > MOST_BYTES) {
      this.#lost = true;
      return;
    }
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    this.#writing ??= this.#write();
  }

  /** Resolves when nothing is written any more: soon, once the connection is closed. */
  async ended(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    // What is put in this turn of the event loop goes in one write.
    await Promise.resolve();
    try {
      while (this.#waiting.length > 0) {
        const all = joinedBytes(this.#waiting);
        this.#waiting = [];
        for (let at = 0; at < all.length;) at += await this.#conn.write(all.subarray(at));
        this.#bytes -= all.length;
      }
    } catch (error) {
      this.#told.failed(error);
      return;
    }
    const lost = this.#lost;
    this.#lost = false;
    this.#writing = undefined;
    this.#told.drained(lost);
  }
}
