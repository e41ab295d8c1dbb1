// Signals as functions, and those that must do nothing.

import { openLibc } from "./libc.ts";

/** Numbers on Linux, x86-64 and arm64 (asm-generic/signal.h, signal-defs.h). */
const USER_SIGNALS = [["SIGUSR1", 10], ["SIGUSR2", 12]] as const;
const SIG_IGN = 1n;
const SIG_UNBLOCK = 1;
/** A sigset_t of glibc, 1024 bits, with SIGHUP (1) alone. */
const HANGUP = new Uint8Array(128).with(0, 1);

const doNothing = () => {};

/**
 * Makes SIGUSR1 and SIGUSR2 harmless. Left alone, the one opens the runtime's inspector to every user
 * of this machine, listener or not, and the other ends the process.
 */
export function ignoreUserSignals(): void {
  // Opened first: between the two lines below a signal does what it would if it were left alone.
  const libc = openLibc();
  for (const [name, number] of USER_SIGNALS) {
    // The runtime sets a signal up for the first who asks for it, and asks for SIGUSR1 itself half a
    // second after the start. It leaves alone, therefore, what is set here behind the first listener.
    Deno.addSignalListener(name, doNothing);
    libc?.signal(number, SIG_IGN);
  }
}

/**
 * From now on a HUP does not end the process. What it asks for, that the configuration be read, is still
 * to come when a service has only just started.
 */
export function outliveHangups(): void {
  Deno.addSignalListener("SIGHUP", doNothing);
  // The header of the packed file has kept it waiting; one thread that takes it is enough.
  openLibc()?.sigprocmask(SIG_UNBLOCK, HANGUP, null);
}

export interface SignalHandlers {
  reload(): void;
  stop(): void;
  leave(): void;
}

/** Listens for HUP (reload), TERM (stop) and INT (leave) until disposed. */
export function onSignals(handlers: SignalHandlers): Disposable {
  const listeners = [
    ["SIGHUP", () => handlers.reload()],
    ["SIGTERM", () => handlers.stop()],
    ["SIGINT", () => handlers.leave()],
  ] as const;
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  return {
    [Symbol.dispose]: () => {
      for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}
