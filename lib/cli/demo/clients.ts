// The clients of the demo: they arrive one after the other, hold a session for a while, check every byte.

import { SYSTEM_CLOCK } from "../../host/clock.ts";
import { BANNER } from "./backend.ts";

export interface ClientCounts {
  started: number;
  /** Got the banner and every byte back, and ended in the regular way. */
  served: number;
  failed: number;
  /** Why the last one failed. */
  lastFailure: string | undefined;
}

/** Between two arrivals. */
const ARRIVAL_MS = 120;
const SHORTEST_MS = 800;
const LONGEST_MS = 4000;
/** A keystroke, so to speak. */
const KEY_MS = 200;
/** Longer than this no answer takes, unless something hangs. */
const ANSWER_MS = 5000;

/**
 * Sends clients until the signal is aborted, then waits for the last of them.
 * @param answerMs how long a client waits for anything that it expects.
 */
export async function sendClients(
  port: number,
  counts: ClientCounts,
  random: () => number,
  stop: AbortSignal,
  answerMs: number = ANSWER_MS,
): Promise<void> {
  const clients: Promise<void>[] = [];
  while (!stop.aborted) {
    counts.started++;
    const holdMs = SHORTEST_MS + (LONGEST_MS - SHORTEST_MS) * random();
    clients.push(
      visit(port, holdMs, stop, answerMs).then(() => {
        counts.served++;
      }, (error: unknown) => {
        counts.failed++;
        counts.lastFailure = error instanceof Error ? error.message : String(error);
      }),
    );
    await pause(ARRIVAL_MS * (0.5 + random()), stop);
  }
  await Promise.all(clients);
}

async function visit(
  port: number,
  holdMs: number,
  stop: AbortSignal,
  answerMs: number,
): Promise<void> {
  using session = new Session(await Deno.connect({ hostname: "127.0.0.1", port }), answerMs);
  if (await session.receive(BANNER.length) !== BANNER) throw new Error("the banner came damaged");
  const endMs = performance.now() + holdMs;
  for (let key = 0; performance.now() < endMs && !stop.aborted; key++) {
    const sent = `keystroke ${key} `;
    await session.send(sent);
    if (await session.receive(sent.length) !== sent) throw new Error("an echo came damaged");
    await pause(KEY_MS, stop);
  }
  if (!await session.end()) throw new Error("bytes came that nobody sent");
}

/** A client's connection, each step of which has a deadline. */
class Session implements Disposable {
  readonly #conn: Deno.TcpConn;
  readonly #answerMs: number;
  #closed = false;

  constructor(conn: Deno.TcpConn, answerMs: number) {
    this.#conn = conn;
    this.#answerMs = answerMs;
  }

  async send(text: string): Promise<void> {
    await this.#soon(this.#conn.write(new TextEncoder().encode(text)));
  }

  async receive(length: number): Promise<string> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const count = await this.#soon(this.#conn.read(bytes.subarray(at)));
      if (count === null) throw new Error("the session ended too early");
      at += count;
    }
    return new TextDecoder().decode(bytes);
  }

  /** Says that nothing more comes. @returns whether nothing more came from there either. */
  async end(): Promise<boolean> {
    await this.#conn.closeWrite();
    return await this.#soon(this.#conn.read(new Uint8Array(1))) === null;
  }

  [Symbol.dispose](): void {
    this.#close();
  }

  async #soon<T>(step: Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.#close(), this.#answerMs);
    try {
      return await step;
    } catch (error) {
      if (!this.#closed) throw error;
      throw new Error(`the balancer did not answer within ${this.#answerMs} ms`);
    } finally {
      clearTimeout(timer);
    }
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }
}

/** Waits, less long when it is over. */
export function pause(ms: number, stop: AbortSignal): Promise<void> {
  return SYSTEM_CLOCK.sleep(ms, stop).catch(() => {});
}
