// A connection as a load source sees it: bytes in, bytes out, whatever carries them.

import type { TcpAddress } from "../values/address.ts";

export interface ByteChannel {
  /**
   * Waits for bytes.
   * @returns how many were put at the start of `buffer`; null when the other side has ended.
   * @throws when the connection breaks, or `close` is called meanwhile.
   */
  read(buffer: Uint8Array<ArrayBuffer>): Promise<number | null>;
  /** Sends every byte; throws when the connection breaks or is closed meanwhile. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Lets go at once, also of a pending read or write. A second call does nothing. */
  close(): void;
}

/** A TLS handshake to which the other side answered something, but that failed. */
export class HandshakeError extends Error {
  override readonly name = "HandshakeError";
}

/**
 * Connects and shakes hands by TLS without certificates (anonymous Diffie-Hellman). Rejects with a
 * HandshakeError, with an error that core/values/errors.ts classifies when the place is not reached or hangs
 * up, and with any other error when this machine cannot do it. Aborting the signal rejects as long as
 * the promise is pending; afterwards `close` is the way to interrupt.
 */
export type AnonymousTls = (address: TcpAddress, signal: AbortSignal) => Promise<ByteChannel>;
