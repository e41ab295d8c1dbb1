// Writes lines to a stream in batches without ever blocking the one who logs: what a slow reader does not
// take in time, or a full disk refuses, is dropped and counted.

import { classify } from "../core/errors.ts";

/** What may wait for a slow reader, in characters. */
const DEFAULT_LIMIT = 8 * 1024 * 1024;

export interface ByteSink {
  write(bytes: Uint8Array): Promise<number>;
}

export class BatchWriter {
  #waiting: string[] = [];
  #waitingLength = 0;
  #dropped = 0;
  #writing: Promise<void> | undefined;
  #broken = false;

  constructor(readonly sink: ByteSink, readonly limit: number = DEFAULT_LIMIT) {}

  /** Lines that were thrown away: the reader too slow or gone, the disk full. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes one line, its newline not included. */
  line(text: string): void {
    if (this.#broken || this.#waitingLength + text.length > this.limit) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(text);
    this.#waitingLength += text.length;
    this.#writing ??= this.#write();
  }

  /** Resolves when all that was taken is written, or cannot be. A reader that has stopped is waited for. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    // Lines of the same turn of the event loop leave together.
    await Promise.resolve();
    const encoder = new TextEncoder();
    let lines: readonly string[] = [];
    try {
      while (this.#waiting.length > 0) {
        lines = this.#waiting;
        this.#waiting = [];
        this.#waitingLength = 0;
        const bytes = encoder.encode(lines.join("\n") + "\n");
        for (let at = 0; at < bytes.length;) at += await this.sink.write(bytes.subarray(at));
      }
    } catch (error) {
      // A reader that is gone (EPIPE) does not come back; a full disk may be emptied. Either way a
      // balancer goes on without its log.
      this.#broken = classify(error) === "reset";
      this.#dropped += lines.length + this.#waiting.length;
      this.#waiting = [];
      this.#waitingLength = 0;
    } finally {
      this.#writing = undefined;
    }
  }
}
