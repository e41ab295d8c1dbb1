// What waits to be written to a connection: in order, of bounded size, one write at a time.

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
        const all = joined(this.#waiting);
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
