// How ZooKeeper writes what it says (Jute, zookeeper.jute of its sources): big-endian integers, texts and bytes
// behind their length, and each message behind its own.

import { joinedBytes } from "../core/values/joined_bytes.ts";

/** A number is an int of 32 bits, a bigint a long of 64; texts and bytes have their length before them. */
export type Part = number | bigint | boolean | string | Uint8Array;

const TEXT = new TextEncoder();

/** Writes one message with its length. */
export function juteMessage(parts: readonly Part[]): Uint8Array<ArrayBuffer> {
  return written(joinedBytes(parts.map(written)));
}

function written(part: Part): Uint8Array<ArrayBuffer> {
  if (typeof part === "boolean") return new Uint8Array([part ? 1 : 0]);
  if (typeof part === "bigint" || typeof part === "number") {
    const view = new DataView(new ArrayBuffer(typeof part === "bigint" ? 8 : 4));
    if (typeof part === "bigint") view.setBigInt64(0, part);
    else view.setInt32(0, part);
    return new Uint8Array(view.buffer);
  }
  const bytes = typeof part === "string" ? TEXT.encode(part) : part;
  return joinedBytes([written(bytes.length), bytes]);
}

/** Reads one message from its start. Every read throws where the message ends too early. */
export class JuteReader {
  readonly #view: DataView;
  #at = 0;

  constructor(message: Uint8Array) {
    this.#view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  }

  int(): number {
    return this.#view.getInt32(this.#take(4));
  }

  long(): bigint {
    return this.#view.getBigInt64(this.#take(8));
  }

  /** Bytes as a text; what is null has the length -1 and is empty. */
  text(): string {
    const length = Math.max(0, this.int());
    const at = this.#take(length);
    return new TextDecoder().decode(
      new Uint8Array(this.#view.buffer, this.#view.byteOffset + at, length),
    );
  }

  texts(): string[] {
    const count = this.int();
    // Each has its length, so a count that cannot be costs nothing.
    if (count > this.#view.byteLength / 4) this.#take(Infinity);
    return Array.from({ length: Math.max(0, count) }, () => this.text());
  }

  #take(length: number): number {
    const at = this.#at;
    if (at + length > this.#view.byteLength) {
      throw new Error(`Cannot read a message of ${this.#view.byteLength} bytes as ZooKeeper's`);
    }
    this.#at += length;
    return at;
  }
}
