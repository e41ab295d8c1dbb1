// A handshake that a signal can end, whatever does it.

import type { ByteChannel } from "../core/serving/byte_channel.ts";
import { closeOnAbort } from "../core/serving/close_on_abort.ts";

/**
 * Waits for the handshake on a channel; the channel is closed when that fails or the signal comes first.
 * @throws the signal's reason once it is aborted, else what the handshake throws.
 */
export async function shakenHands<T extends ByteChannel>(
  channel: T,
  handshake: () => Promise<void>,
  signal: AbortSignal,
): Promise<T> {
  using _interrupt = closeOnAbort(signal, channel);
  try {
    signal.throwIfAborted();
    await handshake();
    signal.throwIfAborted();
    return channel;
  } catch (error) {
    channel.close();
    throw signal.aborted ? signal.reason : error;
  }
}
