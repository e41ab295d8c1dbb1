// What probes say of a backend, as values.

import type { FailureKind } from "../values/errors.ts";

/** Whether a backend answers. `unknown` until the first probe; sessions may be sent there. */
export type HealthState = "up" | "down" | "unknown";

/** What the administrator wants of a backend, whatever its health. */
export type AdminState = "enabled" | "draining" | "disabled";

/** What came of one probe. `protocol`: it answered, but not what was expected. */
export type ProbeResult =
  | { readonly ok: true; readonly latencyMs: number; readonly detail?: string }
  | { readonly ok: false; readonly failure: FailureKind | "protocol"; readonly reason: string };
