// Answers those who connect to the agent, each once: who sends nothing, or a line, gets the line of
// HAProxy's agent-check; who sends an HTTP request gets JSON.

import { acceptEach, closeQuietly } from "../core/serving/accept_loop.ts";
import type { Clock } from "../core/timing/clock.ts";
import { formatAnswer, NO_REQUEST, sendText } from "../core/serving/http.ts";
import { ServedClients } from "../core/serving/served_clients.ts";
import { answerTo, type FirstBytes, readFirstBytes } from "./http_request.ts";

export interface AnswererOptions {
  readonly clock: Clock;
  /** What is answered, made when it is asked for; a rejection closes the connection without a word. */
  readonly line: () => Promise<string>;
  readonly json: () => Promise<string>;
  /** Whether somebody at this IP address may ask; others are closed at once. */
  readonly admits: (host: string) => boolean;
  /** Told once when connections begin to fail to be accepted. */
  readonly onFailure: (message: string) => void;
}

/** Clients of agent-check say nothing; those of HTTP speak at once, but for the way that it takes. */
const SILENCE_MS = 50;
/** How long a client may stay, whatever it does. */
const CLIENT_MS = 3000;
/** How long what a client still sends is read after the answer: unread bytes would reset it away. */
const LINGER_MS = 500;
/** At a time: nobody but a few balancers and people asks. */
const MOST_CLIENTS = 64;
const MOST_REQUEST_BYTES = 8192;

/** Serves a listener until it is disposed of. */
export class Answerer implements AsyncDisposable {
  readonly #listener: Deno.Listener;
  readonly #options: AnswererOptions;
  readonly #accepting: Promise<void>;
  readonly #clients: ServedClients<Deno.Conn>;

  constructor(listener: Deno.Listener, options: AnswererOptions) {
    const { clock } = options;
    this.#listener = listener;
    this.#options = options;
    this.#clients = new ServedClients({
      clock,
      most: MOST_CLIENTS,
      limitMs: CLIENT_MS,
      serve: async (conn, conversation) => {
        const client = new Client(conn, clock);
        const first = await client.listen();
        conversation.asked();
        for (const piece of await this.#answer(first)) await sendText(conn, piece);
        conversation.answered();
        await client.leave();
      },
    });
    this.#accepting = acceptEach(
      listener,
      clock,
      (conn) => this.#admit(conn),
      (_, message) => options.onFailure(message),
    );
  }

  /** Stops listening and hangs up on everybody. */
  async [Symbol.asyncDispose](): Promise<void> {
    closeQuietly(this.#listener);
    await this.#clients[Symbol.asyncDispose]();
    await this.#accepting;
  }

  #admit(conn: Deno.Conn): void | Promise<void> {
    const { remoteAddr } = conn;
    if (remoteAddr.transport !== "tcp" || this.#options.admits(remoteAddr.hostname)) {
      return this.#clients.admit(conn);
    }
    closeQuietly(conn);
  }

  async #answer(first: FirstBytes): Promise<Iterable<string>> {
    const { line, json } = this.#options;
    if (first.kind !== "request") return [await line()];
    return formatAnswer(answerTo(first, await json()), first.method);
  }
}

/** A connection of which one read may be under way while something else is done. */
class Client {
  readonly #conn: Deno.Conn;
  readonly #clock: Clock;
  readonly #buffer = new Uint8Array(MOST_REQUEST_BYTES);
  #filled = 0;
  #reading: Promise<number | null> | undefined;

  constructor(conn: Deno.Conn, clock: Clock) {
    this.#conn = conn;
    this.#clock = clock;
  }

  /** Waits for a whole request, for a line, or for silence. */
  async listen(): Promise<FirstBytes> {
    let silenceMs: number | undefined = SILENCE_MS;
    while (this.#filled < this.#buffer.length) {
      const count = await this.#read(silenceMs);
      if (count === undefined || count === null) return { kind: "line" };
      this.#filled += count;
      const text = new TextDecoder().decode(this.#buffer.subarray(0, this.#filled));
      const first = readFirstBytes(text);
      if (first.kind !== "incomplete") return first;
      // A request has begun: its rest may take until the deadline.
      silenceMs = undefined;
    }
    return NO_REQUEST;
  }

  /** Says that this was all, and waits until the other side is done too. */
  async leave(): Promise<void> {
    await this.#conn.closeWrite();
    const until = this.#clock.now() + LINGER_MS;
    for (let left = LINGER_MS; left > 0; left = until - this.#clock.now()) {
      this.#filled = 0;
      const count = await this.#read(left);
      if (count === undefined || count === null) return;
    }
  }

  /** Reads on; undefined when nothing has come in time, which leaves the read under way. */
  async #read(timeoutMs: number | undefined): Promise<number | null | undefined> {
    const reading = this.#reading ??= this.#conn.read(this.#buffer.subarray(this.#filled));
    // Its failure is told to whoever waits for it next, if anybody does.
    reading.catch(() => {});
    if (timeoutMs === undefined) return await this.#taken(reading);
    const come = new AbortController();
    const late = this.#clock.sleep(timeoutMs, come.signal).then(() => undefined, () => undefined);
    try {
      return await Promise.race([this.#taken(reading), late]);
    } finally {
      come.abort();
    }
  }

  async #taken(reading: Promise<number | null>): Promise<number | null> {
    const count = await reading;
    this.#reading = undefined;
    return count;
  }
}
