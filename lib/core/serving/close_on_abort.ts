// Reads and writes that have no signal of their own end when what they wait on is closed.

import { closeQuietly } from "./accept_loop.ts";

/** Closes the resource when the signal is aborted, at once if it is already, until disposed of. */
export function closeOnAbort(signal: AbortSignal, resource: { close(): void }): Disposable {
  const close = () => closeQuietly(resource);
  signal.addEventListener("abort", close, { once: true });
  if (signal.aborted) close();
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", close) };
}

/** Waits for what has no signal of its own, until the signal is aborted; it goes on unseen then. */
export async function interruptible<T>(pending: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([pending, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** The same of a connection; one that comes after the signal is closed. */
export async function abandonable<C extends { close(): void }>(
  pending: Promise<C>,
  signal: AbortSignal,
): Promise<C> {
  try {
    return await interruptible(pending, signal);
  } catch (error) {
    pending.then(closeQuietly, () => {});
    throw error;
  }
}
