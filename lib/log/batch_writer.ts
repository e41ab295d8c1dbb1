// Writes lines to a stream in batches without ever blocking the one who logs: what a slow reader does not
// take in time, or a full disk refuses, is dropped and counted.

import { classify } from "../core/values/errors.ts";
import { LineBytes } from "../core/values/line_bytes.ts";

/** What may wait for a slow reader, in bytes. */
const DEFAULT_LIMIT = 8 * 1024 * 1024;

export interface ByteSink {
  write(bytes: Uint8Array): Promise<number>;
}

/** A buffer that has grown beyond this is not kept for the next batch. */
const KEPT_BYTES = 1024 * 1024;
const NEWLINE = 10;

export class BatchWriter {
  #waiting = new LineBytes();
  #spare = new LineBytes();
  /** Lines in `#waiting`, and where the last one begins. */
  #lines = 0;
  #lineAt = 0;
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
    this.begin().text(text);
    this.end();
  }

  /** Where to write a line, its newline not included, before `end`. */
  begin(): LineBytes {
    this.#lineAt = this.#waiting.length;
    return this.#waiting;
  }

  /** The line is whole. */
  end(): void {
    const waiting = this.#waiting;
    if (this.#broken || waiting.length > this.limit) {
      waiting.truncate(this.#lineAt);
      this.#dropped++;
      return;
    }
    waiting.char(NEWLINE);
    this.#lines++;
    this.#writing ??= this.#write();
  }

  /** Resolves when all that was taken is written, or cannot be. A reader that has stopped is waited for. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    // Lines of the same turn of the event loop leave together.
    await Promise.resolve();
    let lines = 0;
    try {
      while (this.#lines > 0) {
        const batch = this.#waiting;
        lines = this.#lines;
        this.#waiting = this.#spare;
        this.#lines = 0;
        const { bytes } = batch;
        for (let at = 0; at < bytes.length;) at += await this.sink.write(bytes.subarray(at));
        batch.clear();
        this.#spare = bytes.length > KEPT_BYTES ? new LineBytes() : batch;
      }
    } catch (error) {
      // A reader that is gone (EPIPE) does not come back; a full disk may be emptied. Either way a
      // balancer goes on without its log.
      this.#broken = classify(error) === "reset";
      this.#dropped += lines + this.#lines;
      this.#lines = 0;
      this.#waiting = new LineBytes();
      this.#spare = new LineBytes();
    } finally {
      this.#writing = undefined;
    }
  }
}
