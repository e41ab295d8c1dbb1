// What a health probe is: something that finds out whether a backend answers.

import type { Address } from "../core/values/address.ts";
import type { Backend } from "../core/pool/backend.ts";
import type { ProbeResult } from "../core/pool/health.ts";
import { localHeader } from "../core/proxy_protocol/header_writer.ts";
import type { ProxyVersion } from "../core/proxy_protocol/proxy_endpoint.ts";
import type { Clock } from "../core/timing/clock.ts";

export interface HealthProbe {
  /**
   * Probes once. Never rejects: what fails is a result, and so is an aborted signal (`timeout`).
   * @param addresses where the backend is, resolved; the first that answers counts.
   */
  run(backend: Backend, addresses: readonly Address[], signal: AbortSignal): Promise<ProbeResult>;
}

/** What probes are made with. */
export interface ProbeSettings {
  /** What the probe `banner` waits for. */
  readonly expect: string;
  /** How long a probe may take. */
  readonly timeoutMs: number;
  /** The PROXY header that the backend expects first; absent: none. */
  readonly sendProxy?: ProxyVersion | "off";
}

/** What one kind of probe is: all that other files know of it. */
export interface HealthProbeKind<Name extends string> {
  readonly name: Name;
  /** One line for the manual. */
  readonly doc: string;
  /** Whether `auto` means it for a pool that uses these ports; absent: never. */
  suits?(ports: ReadonlySet<number>): boolean;
  create(settings: ProbeSettings, clock: Clock): HealthProbe;
}

/** What a probe sends before all else: the header of a connection that is on nobody's behalf. */
export function helloOf({ sendProxy = "off" }: ProbeSettings): Uint8Array<ArrayBuffer> {
  return sendProxy === "off" ? new Uint8Array() : localHeader(sendProxy);
}
