// Signals as functions. SIGUSR1 is left alone: it opens Deno's inspector.

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
