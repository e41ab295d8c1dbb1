// What waits to be written to a connection: in order, of bounded size, one write at a time.

import { writeAll } from "../core/serving/write_all.ts";

/** More than the ends of all sessions of a large site take. */
const MOST_BYTES = 1_048_576;

const NEVER = new AbortController().signal;

export class Outbox {
  readonly #conn: Deno.Conn;
  readonly #drained: (lost: boolean) => void;
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  #lost = false;
  #writing: Promise<void> | undefined;

  /**
   * @param drained told when the connection has taken all that was put, and whether some of it was not kept
   *   meanwhile for lack of room.
   */
  constructor(conn: Deno.Conn, drained: (lost: boolean) => void) {
    this.#conn = conn;
    this.#drained = drained;
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

  /** Never rejects: whoever reads the connection finds out why it has failed. */
  async #write(): Promise<void> {
    // What is put in this turn of the event loop goes in one write.
    await Promise.resolve();
    try {
      while (this.#waiting.length > 0) {
        const all = joined(this.#waiting);
        this.#waiting = [];
        await writeAll(this.#conn, all, NEVER);
        this.#bytes -= all.length;
      }
    } catch {
      this.#lost = true;
      return;
    }
    const lost = this.#lost;
    this.#lost = false;
    this.#writing = undefined;
    this.#drained(lost);
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return only;
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
