// What a health probe is: something that finds out whether a backend answers.

import type { Address } from "../core/values/address.ts";
import type { Backend } from "../core/pool/backend.ts";
import type { ProbeResult } from "../core/pool/health.ts";

export interface HealthProbe extends AsyncDisposable {
  /** As in lb.conf. */
  readonly kind: string;
  /**
   * Probes once. Never rejects: what fails is a result, and so is an aborted signal (`timeout`).
   * @param addresses where the backend is, resolved; the first that answers counts.
   */
  run(backend: Backend, addresses: readonly Address[], signal: AbortSignal): Promise<ProbeResult>;
}
