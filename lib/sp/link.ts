// One connection between two SP sockets, as both of them keep it: header, messages, signs of life.

import { connectReason } from "../asking/reason.ts";
import { closeQuietly } from "../core/serving/accept_loop.ts";
import type { Clock } from "../core/timing/clock.ts";
import { formatDuration } from "../core/values/duration.ts";
import type { Result } from "../core/values/result.ts";
import {
  type Carrier,
  framed,
  headerOf,
  PULL,
  PUSH,
  type SocketType,
  SpReader,
} from "./framing.ts";
import { Outbox } from "./outbox.ts";

/** For the header of the other side. */
const HANDSHAKE_MS = 5000;
/** So often each side of ours says something, though it be nothing: `want 0`, or an empty token. */
const BEAT_MS = 10_000;
/** One that has done so, and has been silent for so long, is gone. */
const SILENCE_MS = 3 * BEAT_MS;
/** What is read at once at most. */
export const BUFFER_BYTES = 4096;

/** What carries SP. */
export type Connection = Deno.TcpConn | Deno.UnixConn;

/** Why a conversation cannot go on, in words about the other side. */
export class SpError extends Error {
  override readonly name = "SpError";
}

export interface LinkParts {
  readonly clock: Clock;
  readonly own: SocketType;
  /** A longer message of the other side ends the link. */
  readonly mostBytes: number;
  /** Told when the socket has taken all that was put, and whether some of it was lost for lack of room. */
  readonly drained: (lost: boolean) => void;
}

export class SpLink implements AsyncDisposable {
  /** Whether the other side has shown that it gives signs of life, so that it must. */
  beats = false;
  readonly #conn: Deno.Conn;
  readonly #carrier: Carrier;
  readonly #parts: LinkParts;
  readonly #reader: SpReader;
  readonly #outbox: Outbox;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #over = new AbortController();
  readonly #tasks: Promise<void>[] = [];
  #heardMs: number;

  /** Says the header, in one write with what is put in this turn of the event loop. */
  constructor(conn: Connection, parts: LinkParts) {
    this.#conn = conn;
    this.#carrier = conn.localAddr.transport === "tcp" ? "tcp" : "unix";
    this.#parts = parts;
    const { clock, own, mostBytes, drained } = parts;
    this.#reader = new SpReader(this.#carrier, own === PUSH ? PULL : PUSH, mostBytes);
    this.#outbox = new Outbox(conn, { drained, failed: (error) => this.#end(error) });
    this.#heardMs = clock.now();
    tune(conn);
    this.#outbox.put(headerOf(own));
  }

  /** Whether the socket has taken all that was put. */
  get isDrained(): boolean {
    return this.#outbox.isEmpty;
  }

  /** Has a message written. */
  put(body: Uint8Array): void {
    this.#outbox.put(framed(body, this.#carrier));
  }

  /** Waits for the other side's header. @throws {Error} when another one comes, or none in time. */
  async greeted(): Promise<void> {
    const late = new AbortController();
    const reason = `said nothing within ${formatDuration(HANDSHAKE_MS)}: expected an SP header`;
    const deadline = this.#parts.clock.sleep(HANDSHAKE_MS, late.signal)
      .then(() => this.close(reason), () => {});
    try {
      while (!valueOf(this.#reader.greet())) await this.#read(BUFFER_BYTES);
    } finally {
      late.abort();
      await deadline;
    }
  }

  /** Whether something has come that {@linkcode next} has not given yet, if only the beginning of a message. */
  get isHolding(): boolean {
    return this.#reader.isHolding;
  }

  /**
   * The next message, once it has come.
   * @param mostBytes no more is read at a time.
   * @throws {Error} when the connection ends, or what comes is no message.
   */
  async next(mostBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    for (;;) {
      const message = valueOf(this.#reader.next());
      if (message !== undefined) return message;
      await this.#read(mostBytes);
    }
  }

  /** From now on gives signs of life, and ends when the other side gives none any more. */
  beat(body: Uint8Array): void {
    this.#tasks.push(this.#beat(body));
  }

  /** Ends it at once; whoever waits for a message is told why. */
  close(reason: string): void {
    this.#end(new SpError(reason));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close("stopped");
    await Promise.all([...this.#tasks, this.#outbox.ended()]);
  }

  #end(reason: unknown): void {
    this.#over.abort(reason);
    closeQuietly(this.#conn);
  }

  async #read(mostBytes: number): Promise<void> {
    let count: number | null;
    try {
      count = await this.#conn.read(this.#buffer.subarray(0, mostBytes));
    } catch (error) {
      throw this.#over.signal.aborted ? this.#over.signal.reason : error;
    }
    this.#over.signal.throwIfAborted();
    if (count === null) throw new SpError("has closed the connection");
    this.#heardMs = this.#parts.clock.now();
    this.#reader.push(this.#buffer.subarray(0, count));
    // More is there already, and a read that need not wait leaves nobody else a turn of the event loop.
    if (count === mostBytes) await new Promise((resolve) => setTimeout(resolve));
  }

  async #beat(body: Uint8Array): Promise<void> {
    const { clock } = this.#parts;
    while (!this.#over.signal.aborted) {
      this.put(body);
      await clock.sleep(BEAT_MS, this.#over.signal).catch(() => {});
      if (this.beats && clock.now() - this.#heardMs >= SILENCE_MS) {
        this.close(`silent for ${formatDuration(SILENCE_MS)}`);
      }
    }
  }
}

/** No Nagle: a token must not wait for the one before it to be acknowledged. */
function tune(conn: Connection): void {
  if (!("setNoDelay" in conn)) return;
  try {
    conn.setNoDelay(true);
    conn.setKeepAlive(true);
  } catch {
    // Reset already; whoever reads finds out.
  }
}

/** Why a link to this place has ended, for an administrator. */
export function endReason(error: unknown, place: string): string {
  return error instanceof SpError ? `${error.message} (${place})` : connectReason(error, place);
}

function valueOf<T>(result: Result<T>): T {
  if (!result.ok) throw new SpError(result.message);
  return result.value;
}
