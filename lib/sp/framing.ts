// SP ("scalability protocols" of nanomsg, mangos, nng) as bytes on a stream: a header of 8 bytes from each side,
// then messages, each behind its length (RFCs sp-tcp-mapping-01 and sp-ipc-mapping-01 of nanomsg).

import type { Address } from "../core/values/address.ts";
import { joinedBytes } from "../core/values/joined_bytes.ts";
import { failure, type Result, success } from "../core/values/result.ts";

/** The type of a socket that hands messages out, each to one peer. */
export const PUSH = 0x50;
/** The type of a socket that takes them. */
export const PULL = 0x51;

export type SocketType = typeof PUSH | typeof PULL;

/** What carries the bytes: over unix sockets, a byte 0x01 stands before each length. */
export type Carrier = Address["transport"];

const HEADER_BYTES = 8;
const LENGTH_BYTES = 8;
/** What comes before a length over unix sockets: that the message is in the stream itself. */
const IN_BAND = 1;

/** What a socket says first. */
export function headerOf(type: SocketType): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(0, 0x53, 0x50, 0, 0, type, 0, 0);
}

/** A message as it goes over the stream. */
export function framed(body: Uint8Array, carrier: Carrier): Uint8Array<ArrayBuffer> {
  const before = bytesBefore(carrier);
  const bytes = new Uint8Array(before + body.length);
  if (carrier === "unix") bytes[0] = IN_BAND;
  new DataView(bytes.buffer).setUint32(before - 4, body.length);
  bytes.set(body, before);
  return bytes;
}

function bytesBefore(carrier: Carrier): number {
  return carrier === "unix" ? LENGTH_BYTES + 1 : LENGTH_BYTES;
}

/** Reads what the other side sends, whatever pieces it comes in. */
export class SpReader {
  readonly #carrier: Carrier;
  readonly #peer: SocketType;
  readonly #mostBytes: number;
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array();
  #isGreeted = false;

  /**
   * @param peer the type that the other side must be.
   * @param mostBytes a longer message ends the conversation.
   */
  constructor(carrier: Carrier, peer: SocketType, mostBytes: number) {
    this.#carrier = carrier;
    this.#peer = peer;
    this.#mostBytes = mostBytes;
  }

  /** Whether bytes wait that no message has been made of yet. */
  get isHolding(): boolean {
    return this.#bytes.length > 0;
  }

  /** Takes a copy of the next bytes of the stream. */
  push(bytes: Uint8Array): void {
    this.#bytes = joinedBytes([this.#bytes, bytes]);
  }

  /**
   * The next message, once the header has come.
   * @returns undefined until more bytes come; a failure, at every further call as well, when what has come is
   *   no SP, not of the type expected, or too long.
   */
  next(): Result<Uint8Array<ArrayBuffer> | undefined> {
    const greeted = this.greet();
    if (!greeted.ok) return greeted;
    if (!greeted.value) return success(undefined);
    const before = bytesBefore(this.#carrier);
    const bytes = this.#bytes;
    if (this.#carrier === "unix" && bytes.length > 0 && bytes[0] !== IN_BAND) {
      return failure(`sent ${hex(bytes.subarray(0, 1))} before a message: expected 01`);
    }
    if (bytes.length < before) return success(undefined);
    const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(before - LENGTH_BYTES);
    if (length > BigInt(this.#mostBytes)) {
      return failure(`sent a message of ${length} bytes: expected at most ${this.#mostBytes}`);
    }
    const end = before + Number(length);
    if (bytes.length < end) return success(undefined);
    this.#bytes = bytes.subarray(end);
    return success(bytes.slice(before, end));
  }

  /**
   * Reads the header.
   * @returns whether it has come; a failure when it is another one. Garbage is found out by its first byte:
   *   whoever sends it may send no more.
   */
  greet(): Result<boolean> {
    if (this.#isGreeted) return success(true);
    const found = this.#bytes.subarray(0, HEADER_BYTES);
    const expected = headerOf(this.#peer);
    const wrong = found.findIndex((byte, at) => byte !== expected[at]);
    const isOtherType = wrong === 4 || wrong === 5;
    if (wrong >= 0 && !(isOtherType && found.length < HEADER_BYTES)) {
      return failure(
        `${isOtherType ? "is of another type" : "speaks no SP"} (sent ${hex(found)}): ` +
          `expected ${this.#peer === PUSH ? "PUSH" : "PULL"} (${hex(expected)})`,
      );
    }
    if (found.length < HEADER_BYTES) return success(false);
    this.#isGreeted = true;
    this.#bytes = this.#bytes.subarray(HEADER_BYTES);
    return success(true);
  }
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
