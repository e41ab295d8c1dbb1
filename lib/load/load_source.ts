// What a load source is: something that can be asked how busy a backend is.

import type { Backend } from "../core/pool/backend.ts";
import type { LoadResult } from "../core/pool/load.ts";

export interface LoadSource extends AsyncDisposable {
  /** As in lb.conf. */
  readonly kind: string;
  /**
   * Asks once. Never rejects: a backend that does not answer is a `failed` result, and so is an
   * aborted signal (the caller's deadline).
   */
  sample(backend: Backend, signal: AbortSignal): Promise<LoadResult>;
  /** Lets go of what is held for a backend that has left the pool. */
  forget(backendId: string): void;
}
