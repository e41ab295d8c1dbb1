// What signals have ordered, from the first moment on: an order that comes while the balancer still
// starts is kept until it can be carried out.

import { onSignals } from "../host/signals.ts";

export class SignalHandlers implements Disposable {
  readonly #stopped = Promise.withResolvers<void>();
  readonly #left = Promise.withResolvers<void>();
  readonly #signals: Disposable;
  #stopping = false;
  #leaving = false;
  #reloadsWaiting = 0;
  #onReload: (() => void) | undefined;
  #onLeave: (() => void) | undefined;

  constructor() {
    this.#signals = onSignals({
      reload: () => {
        if (this.#onReload === undefined) this.#reloadsWaiting = 1;
        else this.#onReload();
      },
      stop: () => this.#stopping ? this.#leave() : this.#stop(),
      leave: () => this.#leave(),
    });
  }

  /** Resolves at TERM or INT. */
  get stopped(): Promise<void> {
    return this.#stopped.promise;
  }

  /** Resolves at INT or the second TERM. */
  get left(): Promise<void> {
    return this.#left.promise;
  }

  get leaving(): boolean {
    return this.#leaving;
  }

  /** What HUP sets off; at once if one has come already. */
  whenReloading(act: () => void): void {
    this.#onReload = act;
    if (this.#reloadsWaiting > 0) act();
    this.#reloadsWaiting = 0;
  }

  /** What the order to leave now sets off; at once if it has come already. */
  whenLeaving(act: () => void): void {
    this.#onLeave = act;
    if (this.#leaving) act();
  }

  [Symbol.dispose](): void {
    this.#signals[Symbol.dispose]();
  }

  #stop(): void {
    this.#stopping = true;
    this.#stopped.resolve();
  }

  #leave(): void {
    this.#stop();
    if (this.#leaving) return;
    this.#leaving = true;
    this.#left.resolve();
    this.#onLeave?.();
  }
}
