// A signal that aborts after a while, whose timer goes with it (AbortSignal.timeout's stays and trips
// the sanitizers).

import { DEADLINE_MS } from "./wait_for.ts";

export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout>;

  /** @param ms the abort's reason then is the error "no answer within ${ms}ms". */
  constructor(ms = DEADLINE_MS) {
    this.#timer = setTimeout(
      () => this.#controller.abort(new Error(`no answer within ${ms}ms`)),
      ms,
    );
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
