// Reads and writes that have no signal of their own end when what they wait on is closed.

import { closeQuietly } from "./accept_loop.ts";

/** Closes the resource when the signal is aborted, at once if it is already, until disposed of. */
export function closeOnAbort(signal: AbortSignal, resource: { close(): void }): Disposable {
  const close = () => closeQuietly(resource);
  signal.addEventListener("abort", close, { once: true });
  if (signal.aborted) close();
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", close) };
}
