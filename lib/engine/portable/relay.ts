// The relay of the portable engine: two pumps, one for each direction.
//
//     client ──read──▶ [buffer] ──write──▶ backend      FIN travels on as FIN (half-close)
//     client ◀──write── [buffer] ◀──read── backend      a full socket stops the reads (back-pressure)
//
// Only read, write and closeWrite are used: an end of file on `conn.readable` closes the whole
// connection, and the answer to a client that has closed its write side would be lost
// (denoland/deno#27510).

import { closeQuietly } from "../../core/serving/accept_loop.ts";
import { classify } from "../../core/values/errors.ts";
import type { EndReason } from "../engine.ts";

/** What an idle direction holds. A pending read pins its buffer, so this is the price of a session. */
const IDLE_BUFFER_BYTES = 2048;

/** How long a side that is of no use any more is still read, so that our FIN is not turned into RST. */
const LINGER_MS = 5000;

const NOTHING = new Uint8Array();

/** Large buffers, lent to directions that are busy and taken back when they calm down. */
export class BufferPool {
  readonly #free: Uint8Array<ArrayBuffer>[] = [];

  /**
   * @param bufferBytes size of a large buffer.
   * @param keep how many are kept for later; more are left to the garbage collector.
   */
  constructor(readonly bufferBytes: number, readonly keep: number = 64) {}

  take(): Uint8Array<ArrayBuffer> {
    return this.#free.pop() ?? new Uint8Array(this.bufferBytes);
  }

  give(buffer: Uint8Array<ArrayBuffer>): void {
    if (this.#free.length < this.keep) this.#free.push(buffer);
  }
}

/** What both pumps of a tunnel share with the engine. */
export class Relay {
  bytesToBackend = 0;
  bytesToClient = 0;
  /** When bytes moved last. Idle tunnels are found by it. */
  lastActivity: number;
  #reason: EndReason | undefined;
  #finished = false;

  constructor(
    readonly client: Deno.Conn,
    readonly backend: Deno.Conn,
    readonly buffers: BufferPool,
    readonly now: () => number,
  ) {
    this.lastActivity = now();
  }

  /**
   * Relays until both directions have ended, closes both connections, says why it ended.
   * @param ahead what was read from the client already.
   */
  async run(ahead: Uint8Array): Promise<EndReason> {
    const toClient = this.#pump(this.backend, this.client, false, NOTHING);
    const toBackend = this.#pump(this.client, this.backend, true, ahead);
    await Promise.all([toClient, toBackend]);
    this.#finished = true;
    closeQuietly(this.client);
    closeQuietly(this.backend);
    return this.#reason ?? "client_closed";
  }

  /** Ends the tunnel now, both ways, whichever side has finished before. */
  cut(reason: EndReason): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#reason = reason;
    closeQuietly(this.client);
    closeQuietly(this.backend);
  }

  async #pump(
    from: Deno.Conn,
    to: Deno.Conn,
    toBackend: boolean,
    ahead: Uint8Array,
  ): Promise<void> {
    const idle = new Uint8Array(IDLE_BUFFER_BYTES);
    let buffer = idle;
    let bytes = ahead;
    try {
      for (;;) {
        try {
          for (let written = 0; written < bytes.length;) {
            written += await to.write(written === 0 ? bytes : bytes.subarray(written));
            this.lastActivity = this.now();
          }
        } catch (error) {
          if (toBackend) await this.#backendTakesNoMore();
          else this.#fail("client_reset", error);
          return;
        }
        if (toBackend) this.bytesToBackend += bytes.length;
        else this.bytesToClient += bytes.length;
        if (buffer === idle) {
          if (bytes.length === idle.length) buffer = this.buffers.take();
        } else if (bytes.length <= IDLE_BUFFER_BYTES) {
          this.buffers.give(buffer);
          buffer = idle;
        }
        let count: number | null;
        try {
          count = await from.read(buffer);
        } catch (error) {
          this.#fail(toBackend ? "client_reset" : "backend_reset", error);
          return;
        }
        if (count === null) break;
        this.lastActivity = this.now();
        bytes = buffer.subarray(0, count);
      }
    } finally {
      if (buffer !== idle) this.buffers.give(buffer);
    }
    this.#reason ??= toBackend ? "client_closed" : "backend_closed";
    try {
      await to.closeWrite();
    } catch {
      // The other side is gone already; its own pump reports that.
    }
  }

  /**
   * The backend answered, perhaps, and closed while the client was still sending. Its answer must reach
   * the client: closing now, with bytes unread, would send a reset that can overtake it. So what the
   * client still sends is read and thrown away, for a while.
   */
  async #backendTakesNoMore(): Promise<void> {
    const reason = this.#reason ??= "backend_reset";
    const timer = setTimeout(() => this.cut(reason), LINGER_MS);
    const waste = new Uint8Array(IDLE_BUFFER_BYTES);
    try {
      while (await this.client.read(waste) !== null);
    } catch {
      // Cut, or reset by the client: either way it has ended.
    } finally {
      clearTimeout(timer);
    }
  }

  #fail(reason: EndReason, error: unknown): void {
    // A read that our own close() interrupted is not the peer's doing: cut() has set the reason.
    if (classify(error) === "closed" && this.#finished) return;
    this.cut(this.#reason ?? reason);
  }
}
